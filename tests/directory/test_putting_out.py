"""Who is no longer in a guild or call, or whose channel is no more, is out of its rooms."""

import pytest

from fluxer.directory.models import Channel
from tests.directory.cast import (
    ALICE,
    BOB,
    DM,
    GROUP,
    GUILD,
    MOIRA,
    TEXT,
    VOICE,
    BackEnd,
)
from tests.directory.seats import seat, seated
from voice.models import EndedConnection

OTHER = 204


@pytest.fixture
def rooms(backend: BackEnd) -> BackEnd:
    """Everybody is everywhere they may be; bob is in a room of another guild too."""
    backend.put("guilds/20", name="second", owner_id=str(MOIRA))
    backend.put(f"guilds/20/members/{BOB}")
    backend.put(f"channels/{OTHER}", type=2, guild_id="20")
    for user, channel in (
        (ALICE, VOICE), (BOB, VOICE), (MOIRA, VOICE), (ALICE, DM), (BOB, DM),
        (ALICE, GROUP), (BOB, GROUP), (MOIRA, GROUP), (BOB, OTHER),
    ):  # fmt: skip
        seat(user, channel)
    return backend


def out_by(backend: BackEnd, method: str, path: str, **body: object) -> set[tuple[int, int]]:
    """The seats lost."""
    before = seated()
    answer = backend.call(method, path, body if method != "DELETE" else None)
    assert answer.status_code in (200, 204), answer.content
    assert seated() < before
    return before - seated()


def test_a_kick_is_out_of_the_guilds_rooms_only(rooms: BackEnd) -> None:
    assert out_by(rooms, "DELETE", f"guilds/{GUILD}/members/{BOB}") == {(BOB, VOICE)}
    assert EndedConnection.objects.get().reason == "no_access"


def test_who_leaves_a_group_is_out_of_it(rooms: BackEnd) -> None:
    left = [str(ALICE), str(MOIRA)]
    lost = out_by(rooms, "PATCH", f"channels/{GROUP}", recipient_ids=left)
    assert lost == {(BOB, GROUP)}


def test_a_deleted_user_is_out_of_all(rooms: BackEnd) -> None:
    lost = out_by(rooms, "DELETE", f"users/{BOB}")
    assert lost == {(BOB, VOICE), (BOB, DM), (BOB, GROUP), (BOB, OTHER)}


def test_a_deleted_channel_is_empty(rooms: BackEnd) -> None:
    lost = out_by(rooms, "DELETE", f"channels/{VOICE}")
    assert lost == {(ALICE, VOICE), (BOB, VOICE), (MOIRA, VOICE)}
    assert set(EndedConnection.objects.values_list("reason", flat=True)) == {"channel_deleted"}


def test_a_deleted_guild_is_empty(rooms: BackEnd) -> None:
    lost = out_by(rooms, "DELETE", f"guilds/{GUILD}")
    assert lost == {(ALICE, VOICE), (BOB, VOICE), (MOIRA, VOICE)}
    assert not Channel.objects.filter(pk__in=[VOICE, TEXT]).exists()


def test_a_batch_puts_out_as_each_would(rooms: BackEnd) -> None:
    answer = rooms.batch(
        ("DELETE", f"users/{BOB}"),
        ("DELETE", f"guilds/{GUILD}"),
        ("DELETE", f"channels/{GROUP}"),
    )
    assert answer.status_code == 200
    assert seated() == {(ALICE, DM)}
