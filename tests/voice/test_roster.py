"""Lists of who is in voice: what the caller may see, and why a connection is over."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fluxer.directory import changes
from fluxer.directory.models import Channel
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device, connection_of, error
from tests.voice.scene import (
    ALICE,
    BOB,
    CHARLIE,
    DM,
    GUILD,
    MOIRA,
    OTHER_VOICE,
    VOICE,
    more_members,
    seat,
)
from voice.models import EndReason, VoiceState
from voice.states import endings

LIST = f"/guilds/{GUILD}/voice-states"


def hide(channel_id: int, user_id: int) -> None:
    overwrite = {"id": str(user_id), "type": 1, "allow": "0", "deny": str(1 << 10)}
    Channel.objects.filter(pk=channel_id).update(overwrites=[overwrite])


def listed(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [state["connection_id"] for state in answer.json()]


def test_a_guild_lists_those_who_are_in_and_those_with_a_seat(stage: None):
    seated, joined = seat(ALICE), seat(BOB, OTHER_VOICE, server=None)
    states = Device(MOIRA).get(LIST).json()

    assert [state["connection_id"] for state in states] == [seated.pk, joined.pk]
    assert all(set(state) == set(states[0]) and len(state) == 14 for state in states)
    assert states[0]["joined_at"] is None


def test_who_is_in_has_a_time(west: FakeLiveKit):
    Device(BOB).enter(west)

    [state] = Device(MOIRA).get(LIST).json()
    assert state["joined_at"].endswith("Z")


def test_only_the_channels_that_one_can_see_are_listed(stage: None):
    hide(OTHER_VOICE, MOIRA)
    here, hidden = seat(ALICE), seat(BOB, OTHER_VOICE)

    assert listed(Device(MOIRA).get(LIST)) == [here.pk]
    assert listed(Device(ALICE).get(LIST)) == [here.pk, hidden.pk]


def test_calls_are_not_a_guilds(stage: None):
    seat(BOB, DM)

    assert listed(Device(ALICE).get(LIST)) == []
    assert len(listed(Device(ALICE).get(f"/channels/{DM}/voice-states"))) == 1


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (LIST, (404, "UNKNOWN_MEMBER")),
        (f"{LIST}/@me", (404, "UNKNOWN_MEMBER")),
        (f"{LIST}/{BOB}", (404, "UNKNOWN_MEMBER")),
        (f"/channels/{VOICE}/voice-states", (404, "UNKNOWN_MEMBER")),
        (f"/channels/{DM}/voice-states", (404, "UNKNOWN_CHANNEL")),
        (f"/channels/{DM}/voice-states/@me", (404, "UNKNOWN_CHANNEL")),
        ("/channels/999/voice-states", (404, "UNKNOWN_CHANNEL")),
        ("/guilds/999/voice-states", (404, "UNKNOWN_GUILD")),
        ("/guilds/999/voice-states/@me", (404, "UNKNOWN_GUILD")),
        ("/guilds/x/voice-states", (404, "NOT_FOUND")),
    ],
)
def test_strangers_are_told_what_they_are(stage: None, path: str, answer: tuple[int, str]):
    seat(BOB)

    assert error(Device(CHARLIE).get(path)) == answer


def test_a_channel_that_one_cannot_see_is_closed(stage: None):
    hide(VOICE, MOIRA)

    answer = Device(MOIRA).get(f"/channels/{VOICE}/voice-states")
    assert error(answer) == (403, "MISSING_PERMISSIONS")


def test_a_members_newest_that_can_be_seen(stage: None):
    older, newer = seat(BOB), seat(BOB, OTHER_VOICE)

    assert Device(MOIRA).get(f"{LIST}/{BOB}").json()["connection_id"] == newer.pk
    hide(OTHER_VOICE, MOIRA)
    assert Device(MOIRA).get(f"{LIST}/{BOB}").json()["connection_id"] == older.pk
    hide(VOICE, MOIRA)
    Channel.objects.filter(pk=OTHER_VOICE).update(overwrites=[])
    assert Device(MOIRA).get(f"{LIST}/{BOB}").json()["connection_id"] == newer.pk
    for nobody in (ALICE, CHARLIE, 999):
        answer = Device(MOIRA).get(f"{LIST}/{nobody}")
        assert error(answer) == (404, "UNKNOWN_VOICE_STATE")


def test_a_seat_whose_time_has_passed_is_not_listed(stage: None):
    seat(BOB, seat_until=timezone.now())

    assert listed(Device(MOIRA).get(LIST)) == []
    assert listed(Device(MOIRA).get(f"/channels/{VOICE}/voice-states")) == []
    assert error(Device(MOIRA).get(f"{LIST}/{BOB}")) == (404, "UNKNOWN_VOICE_STATE")
    assert error(Device(BOB).mine()) == (404, "UNKNOWN_VOICE_STATE")


@pytest.mark.parametrize("path", [LIST, f"/channels/{VOICE}/voice-states", f"{LIST}/1000"])
def test_a_list_takes_as_many_statements_for_ninety_as_for_one(stage: None, path: str):
    more_members(90)
    moira = Device(MOIRA)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert moira.get(path).status_code == 200
        return len(captured)

    seat(1000)
    one = cost()
    for n in range(1, 90):
        seat(1000 + n, (VOICE, OTHER_VOICE)[n % 2])
    assert cost() == one <= 4


# One's own


def test_ones_own_is_this_sessions_else_the_newest(stage: None):
    phone = seat(BOB, session="phone")
    newest = seat(BOB, OTHER_VOICE, session="desk")

    assert Device(BOB, sid="phone").mine().json()["connection_id"] == phone.pk
    assert Device(BOB, sid="tv").mine().json()["connection_id"] == newest.pk
    assert Device(BOB).mine().json()["connection_id"] == newest.pk
    assert Device(BOB, sid="tv").mine(phone.pk).json()["connection_id"] == phone.pk


def test_ones_own_is_seen_in_a_channel_that_one_cannot_see(stage: None):
    hide(VOICE, BOB)
    there = seat(BOB, admitted=True)

    assert Device(BOB).mine().json()["connection_id"] == there.pk
    assert listed(Device(BOB).get(LIST)) == []


def test_somebody_elses_connection_is_unknown(stage: None):
    theirs = seat(ALICE)

    answer = Device(BOB).mine(theirs.pk)
    assert error(answer) == (404, "UNKNOWN_VOICE_STATE")
    assert "reason" not in answer.json()


@pytest.mark.parametrize(
    "query", ["?connection_id=", "?connection_id=%00", "?connection_id=" + "x" * 65]
)
def test_a_bad_query_is_refused(stage: None, query: str):
    assert error(Device(BOB).get(f"{LIST}/@me{query}")) == (400, "INVALID_FORM_BODY")


# Why it is over


def leave(bob: Device) -> None:
    bob.be(None)


def disconnect(_: Device) -> None:
    body = {"channel_id": None}
    assert Device(MOIRA).patch(f"/guilds/{GUILD}/members/{BOB}", body).status_code == 200


def replaced(bob: Device) -> None:
    bob.change(f"/channels/{DM}/voice-states/@me", channel_id=DM)


def end(reason: EndReason) -> Callable[[Device], None]:
    def end_(_: Device) -> None:
        states = list(VoiceState.objects.all())
        room = f"guild_{GUILD}_channel_{VOICE}"
        endings.end(states, room=room, reason=reason, now=timezone.now())

    return end_


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (leave, "left"),
        (disconnect, "disconnected"),
        (replaced, "replaced"),
        (end(EndReason.NO_ACCESS), "no_access"),
        (end(EndReason.REGION_CHANGED), "region_changed"),
        (end(EndReason.CHANNEL_DELETED), "channel_deleted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reason_is_told(stage: None, how: Callable[[Device], None], reason: str):
    bob = Device(BOB, sid="phone")
    mine = bob.be(VOICE)["connection_id"]
    how(bob)

    answer = bob.mine(mine)
    assert error(answer) == (404, "UNKNOWN_VOICE_STATE")
    assert answer.json()["reason"] == reason


def test_who_was_lost_is_told_so(west: FakeLiveKit):
    bob = Device(BOB)
    inside = bob.enter(west)
    inside.leave("CONNECTION_TIMEOUT")

    assert bob.mine(connection_of(inside)).json()["reason"] == "lost"


def test_a_seat_never_used_has_expired_before_anybody_tidies(stage: None):
    bob = Device(BOB)
    mine = bob.be(VOICE)["connection_id"]
    VoiceState.objects.update(seat_until=timezone.now())
    assert bob.mine(mine).json()["reason"] == "expired"

    endings.lapse(channel_id=VOICE)

    assert bob.mine(mine).json()["reason"] == "expired"


def test_the_reason_is_that_of_the_last_in_the_chain(west: FakeLiveKit):
    bob = Device(BOB, sid="phone")
    first = bob.be(VOICE)["connection_id"]
    bob.be(OTHER_VOICE)
    bob.be(VOICE)
    disconnect(bob)

    assert bob.mine(first).json()["reason"] == "disconnected"


def test_a_deleted_channel_is_told_of(west: FakeLiveKit):
    bob = Device(BOB)
    mine = connection_of(bob.enter(west))
    changes.before_channels_deleted(channel_ids=[VOICE])

    assert bob.mine(mine).json()["reason"] == "channel_deleted"
    assert Server.objects.exists()
