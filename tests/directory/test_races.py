"""Two of the back end's requests at once: one story or the other, never half of both."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from fluxer.directory import members, users
from fluxer.directory.models import Channel, Guild, Member, RightsChange, User
from tests.directory.cast import (
    BOB,
    CHARLIE,
    GROUP,
    GUILD,
    MODERATORS,
    VOICE,
    BackEnd,
    fault,
)
from tests.voice.races import Rival, at_once

ROUNDS = range(5)


def statuses(*calls: Callable[[], Any]) -> list[int]:
    return sorted(answer.status_code for answer in at_once(calls))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("users/9{}", {"username": "x"}),
        ("guilds/9{}", {"name": "x", "owner_id": str(BOB)}),
        (f"guilds/{GUILD}/roles/9{{}}", {"name": "x"}),
        ("channels/9{}", {"type": 2, "guild_id": str(GUILD)}),
        ("channels/9{}", {"type": 1, "recipient_ids": ["1", "2"]}),
    ],
)
def test_of_those_who_create_one_does_and_the_others_replace(
    committed: BackEnd, path: str, body: dict[str, Any]
) -> None:
    for n in ROUNDS:
        put = partial(BackEnd().put, path.format(n), **body)
        assert statuses(put, put, put, put) == [200, 200, 200, 201]


def test_a_member_is_created_once(committed: BackEnd) -> None:
    path = f"guilds/{GUILD}/members/{CHARLIE}"
    for _ in ROUNDS:
        assert statuses(*[lambda: BackEnd().put(path)] * 4) == [200, 200, 200, 201]
        assert Member.objects.filter(guild_id=GUILD, user_id=CHARLIE).count() == 1
        committed.delete(path)


def test_a_nick_does_not_undo_a_mute(committed: BackEnd) -> None:
    """The nick's transaction has read the member before the mute begins."""
    path = f"guilds/{GUILD}/members/{BOB}"
    mute = Rival(lambda: BackEnd().patch(path, mute=True))
    with transaction.atomic():
        members.put(guild_id=GUILD, user_id=BOB, nick="before", role_ids=[])
        mute.let_in()
        members.put(guild_id=GUILD, user_id=BOB, nick="bobby", role_ids=[])
    assert mute.finish().status_code == 200
    assert committed.read(path)["mute"] is True
    assert committed.read(path)["nick"] == "bobby"


def test_a_change_back_is_noted_whoever_comes_first(committed: BackEnd) -> None:
    """Somebody who compared with what was read before the other wrote would note nothing."""
    path = f"users/{BOB}"
    back = Rival(lambda: BackEnd().patch(path, is_claimed=True))
    with transaction.atomic():
        users.change(user_id=BOB, is_claimed=False)
        back.let_in()
    assert back.finish().status_code == 200
    assert committed.read(path)["is_claimed"] is True
    assert RightsChange.objects.filter(scope="user", subject_id=BOB).count() == 2


def test_a_role_that_goes_is_given_to_nobody(committed: BackEnd) -> None:
    path = f"guilds/{GUILD}/members/{BOB}"
    role = f"guilds/{GUILD}/roles/{MODERATORS}"
    gone = Rival(lambda: BackEnd().delete(role))
    with transaction.atomic():
        members.change(guild_id=GUILD, user_id=BOB, role_ids=[MODERATORS])
        gone.let_in()
    assert gone.finish().status_code == 204
    assert committed.read(path)["role_ids"] == []


def test_a_user_who_goes_is_left_in_no_call(committed: BackEnd) -> None:
    there = [str(BOB), str(CHARLIE)]
    for _ in ROUNDS:
        committed.put(f"users/{CHARLIE}", username="charlie")
        answers = at_once(
            [
                lambda: BackEnd().delete(f"users/{CHARLIE}"),
                lambda: BackEnd().patch(f"channels/{GROUP}", recipient_ids=there),
            ]
        )
        assert {answer.status_code for answer in answers} <= {200, 204, 400, 503}
        if not User.objects.filter(pk=CHARLIE).exists():
            assert CHARLIE not in Channel.objects.get(pk=GROUP).recipient_ids
        committed.patch(f"channels/{GROUP}", recipient_ids=[str(BOB)])


def test_an_owner_is_a_member_whatever_happens_at_once(committed: BackEnd) -> None:
    for _ in ROUNDS:
        committed.patch(f"guilds/{GUILD}", owner_id="1")
        committed.put(f"guilds/{GUILD}/members/{BOB}")
        at_once(
            [
                lambda: BackEnd().delete(f"guilds/{GUILD}/members/{BOB}"),
                lambda: BackEnd().patch(f"guilds/{GUILD}", owner_id=str(BOB)),
            ]
        )
        owner = Guild.objects.get(pk=GUILD).owner_id
        assert Member.objects.filter(guild_id=GUILD, user_id=owner).exists()


def test_a_guild_that_goes_leaves_no_channel(committed: BackEnd) -> None:
    body = {"type": 2, "guild_id": str(GUILD)}
    made, gone = at_once(
        [
            lambda: BackEnd().put("channels/300", **body),
            lambda: BackEnd().delete(f"guilds/{GUILD}"),
        ]
    )
    assert made.status_code in (201, 400, 409)
    assert gone.status_code in (204, 503)
    if gone.status_code == 204:
        assert not Channel.objects.filter(guild_id=GUILD).exists()


def test_batches_that_lock_the_same_rooms_do_not_wait_for_each_other(committed: BackEnd) -> None:
    channels = [f"channels/{pk}" for pk in range(201, 209)]
    for path in channels:
        committed.put(path, type=2, guild_id=str(GUILD))
    for n in ROUNDS:
        there = [("PATCH", path, {"name": str(n)}) for path in channels]
        calls = [partial(BackEnd().batch, *there), partial(BackEnd().batch, *reversed(there))]
        assert statuses(*calls, *calls) == [200] * 4


def test_a_locked_room_is_a_503_and_not_a_hang(committed: BackEnd) -> None:
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=VOICE)
        waiting = Rival(lambda: BackEnd().delete(f"channels/{VOICE}"))
        waiting.let_in(moment=5)
    answer = waiting.finish()
    assert fault(answer)[:2] == (503, "SERVICE_UNAVAILABLE")
    assert int(answer["Retry-After"]) >= 1
