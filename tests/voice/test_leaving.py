"""Leaving: with one connection or all, again, and for good."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fluxer.directory.models import Member
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device, connection_of, error
from tests.voice.scene import ALICE, BOB, DM, GUILD, OTHER_VOICE, VOICE, seat, written
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState
from voice.settlement import settle_room
from voice.states import endings

ROOM = f"guild_{GUILD}_channel_{VOICE}"


def test_the_answer_is_the_last_object_without_its_channel(west: FakeLiveKit):
    bob = Device(BOB)
    connection_id = connection_of(bob.enter(west))
    before = bob.set(self_mute=True)

    state = bob.be(None)

    assert state == {**before, "channel_id": None, "joined_at": None, "version": 4}
    assert not VoiceState.objects.exists()
    assert bob.mine(connection_id).json()["reason"] == "left"


def test_livekit_follows_and_the_pin_expires(west: FakeLiveKit):
    bob = Device(BOB)
    inside = bob.enter(west)
    with west.calls_during() as calls:
        bob.be(None)

    assert calls == []
    assert RoomPin.objects.get().expires_at is not None
    assert DueRoom.objects.get().room == ROOM
    settle_room(server_id=Server.objects.get().pk, room=ROOM)
    assert not inside.inside


@pytest.mark.parametrize("sid", [None, "phone"])
def test_leaving_again_is_fine(stage: None, sid: str | None):
    bob = Device(BOB, sid=sid)
    bob.be(VOICE)
    bob.be(None)
    before = written()

    state = bob.be(None)

    assert (state["channel_id"], state["version"], state["connection_id"]) == (None, 0, None)
    assert not any(state[flag] for flag in ("self_mute", "self_deaf", "self_video", "self_stream"))
    assert state["session_id"] == sid
    assert written() == before


def test_leaving_without_having_been_in_says_what_the_member_is(stage: None):
    Member.objects.filter(user_id=BOB).update(mute=True)

    state = Device(BOB).be(None)

    assert (state["mute"], state["deaf"], state["version"]) == (True, False, 0)


def test_without_a_session_everything_leaves(stage: None):
    Device(BOB, sid="phone").be(VOICE)
    Device(BOB, sid="desk").be(OTHER_VOICE)
    Device(ALICE).be(VOICE)

    Device(BOB).be(None)

    assert VoiceState.objects.get().user_id == ALICE


def test_a_session_leaves_alone(stage: None):
    phone, desk = Device(BOB, sid="phone"), Device(BOB, sid="desk")
    phone.be(VOICE)
    desk.be(VOICE)

    phone.be(None)
    phone.be(None)

    assert VoiceState.objects.get().session == "desk"


def test_a_connection_that_is_named_leaves_alone(stage: None):
    phone, desk = Device(BOB, sid="phone"), Device(BOB, sid="desk")
    named = phone.be(VOICE)["connection_id"]
    desk.be(VOICE)

    assert desk.be(None, connection_id=named)["connection_id"] == named
    assert VoiceState.objects.get().session == "desk"


def test_leaving_with_one_of_ones_own_that_is_over_is_fine(stage: None):
    bob = Device(BOB, sid="phone")
    over = bob.be(VOICE)["connection_id"]
    bob.be(None)
    here = bob.be(VOICE)["connection_id"]

    state = bob.be(None, connection_id=over)

    assert (state["channel_id"], state["version"]) == (None, 0)
    assert VoiceState.objects.get().pk == here


def test_leaving_with_somebody_elses_is_not(stage: None):
    theirs = seat(ALICE)
    alice = Device(ALICE)
    over = alice.be(VOICE, connection_id=theirs.pk)["connection_id"]
    before = written()

    for connection_id in (over, "conn_nobody", "x"):
        answer = Device(BOB).change(channel_id=None, connection_id=connection_id)
        assert error(answer) == (404, "VOICE_CONNECTION_NOT_FOUND")
    alice.be(None)
    answer = Device(BOB).change(channel_id=None, connection_id=over)
    assert error(answer) == (404, "VOICE_CONNECTION_NOT_FOUND")
    assert written() != before


def test_a_call_is_left_on_its_own_route(stage: None):
    path = f"/channels/{DM}/voice-states/@me"
    bob = Device(BOB)
    bob.be(VOICE)
    bob.change(path, channel_id=DM)

    assert bob.change(path, channel_id=None).json()["channel_id"] is None
    assert VoiceState.objects.get().channel_id == VOICE


@pytest.mark.parametrize("how", ["all", "session", "named"])
def test_who_leaves_while_away_does_not_return(west: FakeLiveKit, how: str):
    bob = Device(BOB, sid="phone")
    grant = bob.token()
    west.join(grant["token"]).leave()
    body = {"connection_id": grant["connection_id"]} if how == "named" else {}

    (Device(BOB) if how == "all" else bob).be(None, **body)
    west.join(grant["token"])

    assert not VoiceState.objects.exists()
    settle_room(server_id=Server.objects.get().pk, room=ROOM)
    assert west.identities(ROOM) == set()


def test_a_leave_by_an_old_id_bars_what_it_became(west: FakeLiveKit):
    bob = Device(BOB, sid="phone")
    first = bob.be(VOICE)["connection_id"]
    bob.be(OTHER_VOICE)
    grant = bob.token(OTHER_VOICE)
    west.join(grant["token"]).leave()

    bob.be(None, connection_id=first)
    west.join(grant["token"])

    assert not VoiceState.objects.exists()


def test_another_session_that_is_away_may_still_return(west: FakeLiveKit):
    grant = Device(BOB, sid="phone").token()
    west.join(grant["token"]).leave()

    Device(BOB, sid="desk").be(None)
    west.join(grant["token"])

    assert VoiceState.objects.get().pk == grant["connection_id"]


def test_leaving_a_seat_whose_time_has_passed_is_for_good(west: FakeLiveKit):
    bob = Device(BOB)
    token = bob.token()["token"]
    VoiceState.objects.update(seat_until=VoiceState.objects.get().created_at)

    state = bob.be(None)

    assert state["version"] == 0
    assert not VoiceState.objects.exists()
    west.join(token)
    assert not VoiceState.objects.exists()
    assert EndedConnection.objects.get().may_return_until is None


def test_what_is_forgotten_is_unknown(stage: None):
    bob = Device(BOB)
    over = bob.be(VOICE)["connection_id"]
    bob.be(None)
    endings.forget(now=timezone.now() + endings.MEMORY + timedelta(seconds=1))

    assert error(bob.mine(over)) == (404, "UNKNOWN_VOICE_STATE")
    assert "reason" not in bob.mine(over).json()
