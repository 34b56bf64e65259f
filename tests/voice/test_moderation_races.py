"""Moderators, the back end and the people themselves, all at once: one story or another."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.protocol.models import TrackSource

from fluxer.directory import changes
from fluxer.directory.models import Channel, Member
from tests.livekit.fake import FakeLiveKit
from tests.voice.follow import follow
from tests.voice.orders import BackEnd, connection_of, enter, moderate
from tests.voice.races import Rival, at_once
from tests.voice.scene import ALICE, BOB, DM, GUILD, MOIRA, OTHER_VOICE, VOICE, Caller
from voice import moderation, queue
from voice.models import VoiceState
from voice.states import lookup, returns, seats

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ROUNDS = 8
MEMBER = f"/guilds/{GUILD}/members/{BOB}"
OWN = f"/guilds/{GUILD}/voice-states/@me"


@pytest.fixture(autouse=True)
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows is done by hand."""
    monkeypatch.setattr(queue, "_publish", lambda *args: None)


def insist(method: str, path: str, body: Any = None, *, times: int = 5) -> int:
    """The status, after as many tries as a back end makes of a 503."""
    for _ in range(times):
        status = int(BackEnd().ask(method, path, body).status_code)
        if status != 503:
            return status
    return 503


def own_move(channel_id: int) -> Any:
    body = {"channel_id": str(channel_id)}
    return Caller(BOB).patch(OWN, body)


def moderated(user: int | str, channel_id: int) -> int:
    return int(moderate(Caller(MOIRA), user, channel_id=str(channel_id)).status_code)


def inside(fake: FakeLiveKit) -> set[str]:
    rooms = (f"guild_{GUILD}_channel_{pk}" for pk in (VOICE, OTHER_VOICE))
    return {identity for room in rooms for identity in fake.identities(room)}


@pytest.mark.parametrize("own", [True, False], ids=["by oneself", "by a moderator"])
def test_a_move_against_a_ban(west: FakeLiveKit, own: bool):
    move = (
        partial(own_move, OTHER_VOICE)
        if own
        else partial(moderate, Caller(MOIRA), BOB, channel_id=str(OTHER_VOICE))
    )
    for _ in range(ROUNDS):
        enter(west, Caller(BOB))
        _, status = at_once([lambda: move().status_code, lambda: insist("DELETE", MEMBER)])

        assert status == 204
        follow()
        assert not VoiceState.objects.filter(user_id=BOB).exists()
        assert not inside(west)
        Member.objects.create(guild_id=GUILD, user_id=BOB)


def test_a_move_against_a_disconnect(west: FakeLiveKit):
    for _ in range(ROUNDS):
        enter(west, Caller(BOB))
        moved, out = at_once(
            [
                lambda: moderate(Caller(ALICE), BOB, channel_id=str(OTHER_VOICE)).status_code,
                lambda: moderate(Caller(MOIRA), BOB, channel_id=None).status_code,
            ]
        )
        follow()

        assert out == 200
        assert moved in (200, 400)  # who is out already cannot be moved
        assert not VoiceState.objects.exists()
        assert not inside(west)


@pytest.mark.parametrize("guarded", [True, False])
def test_a_kick_that_names_a_connection_against_its_move(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch, guarded: bool
):
    """The move is committed when the kick has looked, and not yet locked."""
    connection_id = connection_of(enter(west, Caller(BOB)))
    rival = Rival(lambda: own_move(OTHER_VOICE).status_code)
    lock = moderation.lock_channels

    def late(channel_ids: Any) -> Any:
        rival.let_in(moment=5)
        return lock(channel_ids)

    monkeypatch.setattr(moderation, "lock_channels", late)
    if not guarded:
        monkeypatch.setattr(lookup, "current_id", lambda known, user_id: known)
    answer = moderate(Caller(MOIRA), BOB, channel_id=None, connection_id=connection_id)

    assert rival.finish() == 200
    assert VoiceState.objects.exists() is not guarded
    assert (answer.status_code == 200) is guarded


def test_channels_deleted_in_a_batch_against_moves_between_them(west: FakeLiveKit):
    """Another order of locks would be a deadlock, which is a 503."""
    people = [Caller(BOB), Caller(MOIRA)]
    for turn in range(ROUNDS):
        enter(west, people[0], VOICE)
        enter(west, people[1], OTHER_VOICE)
        doomed = [VOICE, OTHER_VOICE] if turn % 2 else [OTHER_VOICE, VOICE]
        batch = [{"method": "DELETE", "path": f"/service/channels/{pk}"} for pk in doomed]
        statuses: list[int] = at_once(
            [
                partial(insist, "POST", "/batch", batch, times=1),
                lambda: people[0].patch(OWN, {"channel_id": str(OTHER_VOICE)}).status_code,
                lambda: people[1].patch(OWN, {"channel_id": str(VOICE)}).status_code,
            ]
        )
        assert statuses[0] == 200
        assert set(statuses[1:]) <= {200, 404}
        follow()
        assert not VoiceState.objects.exists()
        assert not inside(west)
        for pk in doomed:
            Channel.objects.create(pk=pk, type=2, guild_id=GUILD)


def test_moderators_who_move_two_people_crosswise(west: FakeLiveKit):
    for turn in range(ROUNDS):
        here, there = (VOICE, OTHER_VOICE) if turn % 2 else (OTHER_VOICE, VOICE)
        VoiceState.objects.all().delete()
        enter(west, Caller(BOB), here)
        enter(west, Caller(MOIRA), there)
        statuses = at_once(
            [
                partial(moderated, BOB, there),
                partial(moderated, "@me", here),
            ]
        )
        assert statuses == [200, 200]
        at = dict(VoiceState.objects.values_list("user_id", "channel_id"))
        assert at == {BOB: there, MOIRA: here}


def ban() -> int:
    return insist("DELETE", MEMBER)


def in_the_middle_of(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], Any] = ban
) -> Rival:
    """While this function is about to write, something else is committed."""
    rival = Rival(act)
    write: Callable[..., Any] = getattr(module, name)

    def interrupted(*args: Any, **values: Any) -> Any:
        rival.let_in(moment=5)
        return write(*args, **values)

    monkeypatch.setattr(module, name, interrupted)
    return rival


def test_a_ban_committed_while_a_join_is_under_way(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch
):
    rival = in_the_middle_of(monkeypatch, seats, "reserve")
    grant = Caller(BOB).token()
    assert rival.finish() == 204

    participant = west.join(grant["token"])
    follow()

    assert not participant.inside
    assert not VoiceState.objects.exists()


def test_the_seat_of_such_a_join_goes_without_waiting_for_its_time(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch
):
    in_the_middle_of(monkeypatch, seats, "reserve")
    Caller(BOB).token()
    follow()

    assert not VoiceState.objects.exists()


@pytest.mark.parametrize("guarded", [True, False])
def test_a_ban_committed_while_somebody_returns(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch, guarded: bool
):
    """The return saw a member, and the ban saw nobody in voice."""
    participant = enter(west, Caller(BOB))
    token = participant.refreshed_token()
    participant.leave()
    rival = in_the_middle_of(monkeypatch, returns, "_revive")
    if not guarded:
        monkeypatch.setattr(changes, "note", lambda *args, **values: None)

    again = west.join(token)
    assert rival.finish() == 204
    follow()

    assert again.inside is not guarded


@pytest.mark.parametrize("guarded", [True, False])
def test_a_role_that_changes_and_is_drained_while_somebody_returns(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch, guarded: bool
):
    participant = enter(west, Caller(BOB))
    token = participant.refreshed_token()
    participant.leave()

    def edit() -> None:
        BackEnd().do("PATCH", f"/guilds/{GUILD}/roles/{GUILD}", {"permissions": "0"})
        follow()

    rival = in_the_middle_of(monkeypatch, returns, "_revive", edit)
    if not guarded:
        monkeypatch.setattr(returns, "_look_again", lambda visit: None)

    again = west.join(token)
    rival.finish()
    follow()

    assert again.inside is not guarded


def test_a_claim_that_is_taken_back_while_somebody_returns_to_a_call(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch
):
    participant = enter(west, Caller(BOB), DM)
    token = participant.refreshed_token()
    participant.leave()

    def edit() -> None:
        BackEnd().do("PATCH", f"/users/{BOB}", {"is_claimed": False})
        follow()

    rival = in_the_middle_of(monkeypatch, returns, "_revive", edit)
    again = west.join(token)
    rival.finish()
    follow()

    assert not again.inside


@pytest.mark.parametrize("guarded", [True, False])
def test_somebody_who_returns_while_they_are_muted(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch, guarded: bool
):
    """The mute saw nobody in voice, and the return a member who may speak."""
    participant = enter(west, Caller(BOB))
    token = participant.refreshed_token()
    participant.leave()

    def come_back() -> Any:
        visit = west.join(token)
        follow()
        return visit

    rival = in_the_middle_of(monkeypatch, moderation, "_say", come_back)
    if not guarded:
        silent = SimpleNamespace(Scope=changes.Scope, note=lambda *args, **values: None)
        monkeypatch.setattr(moderation, "directory", silent)

    assert moderate(Caller(MOIRA), BOB, mute=True).status_code == 200
    visit = rival.finish()
    follow()

    assert VoiceState.objects.get().mute is guarded
    assert (TrackSource.MICROPHONE in visit.info.permission.can_publish_sources) is not guarded
