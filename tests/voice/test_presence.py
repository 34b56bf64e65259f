"""A join ahead of its token, which connection is meant, and what is not taken."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from fluxer.directory.models import Channel, Guild, Member, User
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import MINE, Device, connection_of, error
from tests.voice.scene import (
    ALICE,
    BOB,
    CHARLIE,
    DM,
    GROUP,
    GUILD,
    OTHER_VOICE,
    TEXT,
    VOICE,
    seat,
    written,
)
from voice import tasks
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState

KEYS = {
    "user_id", "guild_id", "channel_id", "session_id", "self_mute", "self_deaf", "self_video",
    "self_stream", "mute", "deaf", "suppress", "connection_id", "version", "joined_at",
}  # fmt: skip
CALL = f"/channels/{DM}/voice-states/@me"

pytestmark = pytest.mark.usefixtures("stage")


def test_a_join_answers_with_the_object_and_all_its_keys():
    state = Device(BOB).be(VOICE, self_mute=True)

    assert set(state) == KEYS
    assert (state["user_id"], state["guild_id"]) == (str(BOB), str(GUILD))
    assert state["channel_id"] == str(VOICE)
    assert state["session_id"] == state["connection_id"]
    assert (state["self_mute"], state["self_deaf"]) == (True, False)
    assert (state["version"], state["joined_at"]) == (1, None)


def test_the_session_is_that_of_the_caller():
    assert Device(BOB, sid="phone").be(VOICE)["session_id"] == "phone"


def test_a_join_holds_a_seat_for_a_minute_and_pins_nothing():
    Device(BOB).be(VOICE)

    state = VoiceState.objects.get()
    assert state.seat_until is not None
    assert (state.seat_until - timezone.now()).total_seconds() == pytest.approx(60, abs=5)
    assert (state.server_id, state.token_nonce) == (None, None)
    assert not RoomPin.objects.exists()
    assert not DueRoom.objects.exists()


def test_the_token_claims_the_seat_once(west: FakeLiveKit):
    bob = Device(BOB)
    state = bob.be(VOICE, self_deaf=True)

    first, second = bob.token(), bob.token()

    assert first["connection_id"] == state["connection_id"]
    assert second["connection_id"] != state["connection_id"]
    west.join(first["token"])
    mine = bob.mine(state["connection_id"]).json()
    assert (mine["self_deaf"], mine["version"]) == (True, 2)
    assert mine["joined_at"] is not None


def test_a_token_alone_is_a_join(west: FakeLiveKit):
    bob = Device(BOB, sid="phone")
    inside = bob.enter(west)

    state = bob.mine().json()
    assert state["connection_id"] == connection_of(inside)
    assert state["session_id"] == "phone"
    assert state["version"] == 2


def test_a_seat_leaves_the_timer_of_the_pin_to_its_token(west: FakeLiveKit):
    Device(ALICE).enter(west).leave()
    timer = RoomPin.objects.get().expires_at
    assert timer is not None

    bob = Device(BOB)
    bob.be(VOICE)
    assert RoomPin.objects.get().expires_at == timer

    bob.token()
    assert RoomPin.objects.get().expires_at is None


def test_who_tries_again_and_again_does_not_keep_a_room_where_it_cannot_be_made(
    west: FakeLiveKit, east: FakeLiveKit, later: Callable[[float], None]
):
    Device(ALICE).enter(west, region="us-west").leave()
    bob = Device(BOB)
    with west.fault("error", method="CreateRoom"):
        for _ in range(4):
            later(settings.VOICE_PIN_TIMEOUT / 2)
            bob.be(None)
            bob.be(VOICE)
            tasks.tidy()
            grant = bob.ask()

    assert (grant.status_code, grant.json().get("endpoint")) == (200, east.url)


def test_joining_again_where_one_is_changes_nothing(west: FakeLiveKit):
    bob = Device(BOB)
    bob.enter(west)
    before = written()

    state = bob.be(VOICE)

    assert state["version"] == 2
    assert written() == before


# Which connection is meant


def test_a_session_is_only_ever_its_own():
    phone, desk = Device(BOB, sid="phone"), Device(BOB, sid="desk")
    phone.be(VOICE)

    assert error(desk.change(self_mute=True)) == (400, "USER_NOT_IN_VOICE")
    assert desk.be(OTHER_VOICE)["session_id"] == "desk"
    assert phone.mine().json()["channel_id"] == str(VOICE)


def test_without_a_session_the_newest_is_meant():
    old, new = seat(BOB), seat(BOB, OTHER_VOICE)
    VoiceState.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(minutes=1))

    assert Device(BOB).set(self_mute=True)["connection_id"] == new.pk


def test_a_connection_may_be_named_by_another_session():
    mine = Device(BOB, sid="phone").be(VOICE)["connection_id"]

    state = Device(BOB, sid="desk").set(connection_id=mine, self_mute=True)

    assert (state["connection_id"], state["session_id"]) == (mine, "phone")


@pytest.mark.parametrize("body", [{"self_mute": True}, {"channel_id": OTHER_VOICE}, {}])
def test_a_connection_of_somebody_else_is_not_there(body: dict[str, Any]):
    theirs = seat(ALICE)
    before = written()

    answer = Device(BOB).change(connection_id=theirs.pk, **body)

    assert error(answer) == (404, "VOICE_CONNECTION_NOT_FOUND")
    assert written() == before


def test_a_connection_in_another_guild_is_not_meant():
    Guild.objects.create(pk=20, name="other", owner_id=BOB)
    Member.objects.create(guild_id=20, user_id=BOB)
    Channel.objects.create(pk=200, type=2, guild_id=20)
    there = seat(BOB, 200)
    before = written()

    bob = Device(BOB)
    assert error(bob.change(self_mute=True)) == (400, "USER_NOT_IN_VOICE")
    for body in ({"self_mute": True}, {"channel_id": None}, {"channel_id": VOICE}):
        answer = bob.change(connection_id=there.pk, **body)
        assert error(answer) == (404, "VOICE_CONNECTION_NOT_FOUND"), body
    assert written() == before
    assert bob.be(VOICE)["channel_id"] == str(VOICE)
    assert VoiceState.objects.filter(pk=there.pk).exists()


def test_a_session_that_joins_another_guild_ends_here(west: FakeLiveKit):
    Guild.objects.create(pk=20, name="other", owner_id=BOB)
    Member.objects.create(guild_id=20, user_id=BOB)
    Channel.objects.create(pk=200, type=2, guild_id=20)
    phone = Device(BOB, sid="phone")
    here = connection_of(phone.enter(west))

    there = phone.change("/guilds/20/voice-states/@me", channel_id=200).json()

    assert VoiceState.objects.get().pk == there["connection_id"]
    assert EndedConnection.objects.get(pk=here).replaced_by == there["connection_id"]
    assert DueRoom.objects.get().room == f"guild_{GUILD}_channel_{VOICE}"
    assert phone.mine(here).json()["reason"] == "replaced"


def test_a_seat_whose_time_has_passed_is_no_connection(later: Callable[[float], None]):
    phone = Device(BOB, sid="phone")
    mine = phone.be(VOICE)["connection_id"]
    later(61)

    assert error(phone.change(self_mute=True)) == (400, "USER_NOT_IN_VOICE")
    assert error(phone.change(connection_id=mine, self_mute=True)) == (
        404,
        "VOICE_CONNECTION_NOT_FOUND",
    )
    again = phone.be(OTHER_VOICE)
    assert again["connection_id"] != mine
    assert VoiceState.objects.get().pk == again["connection_id"]


def test_a_device_without_session_joins_anew_after_its_seat_lapsed(later: Callable[[float], None]):
    bob = Device(BOB)
    first = bob.be(VOICE)["connection_id"]
    later(61)

    assert bob.be(VOICE)["connection_id"] != first


# Calls


def test_a_call_is_joined_on_its_own_route():
    state = Device(BOB).change(CALL, channel_id=DM).json()

    assert (state["guild_id"], state["channel_id"]) == (None, str(DM))


def test_a_call_knows_only_its_own_connections():
    bob = Device(BOB)
    bob.be(VOICE)

    assert error(bob.change(CALL, self_mute=True)) == (400, "USER_NOT_IN_VOICE")
    bob.change(CALL, channel_id=DM)
    assert VoiceState.objects.count() == 2
    assert bob.mine().json()["channel_id"] == str(VOICE)
    assert bob.mine(path=CALL).json()["channel_id"] == str(DM)


@pytest.mark.parametrize("elsewhere", [GROUP, VOICE, 999])
def test_the_body_of_a_call_names_no_other_channel(elsewhere: int):
    answer = Device(BOB).change(CALL, channel_id=elsewhere)

    assert error(answer) == (400, "INVALID_FORM_BODY")
    assert answer.json()["errors"][0]["path"] == "channel_id"


def test_strangers_of_a_call_know_nothing_of_it():
    before = written()

    for answer in (
        Device(CHARLIE).change(CALL, channel_id=DM),
        Device(CHARLIE).mine(path=CALL),
        Device(CHARLIE).get(f"/channels/{DM}/voice-states"),
    ):
        assert error(answer) == (404, "UNKNOWN_CHANNEL")
    assert written() == before


def test_a_guild_channel_is_no_call():
    answer = Device(BOB).change(f"/channels/{VOICE}/voice-states/@me", channel_id=VOICE)

    assert error(answer) == (400, "INVALID_CHANNEL_TYPE")


# What is not taken


def test_strangers_of_a_guild_are_told_so():
    assert error(Device(CHARLIE).change(channel_id=VOICE)) == (404, "UNKNOWN_MEMBER")
    path = "/guilds/999/voice-states/@me"
    assert error(Device(BOB).change(path, channel_id=VOICE)) == (404, "UNKNOWN_GUILD")


def test_an_unclaimed_account_joins_no_guild_channel():
    User.objects.filter(pk=BOB).update(is_claimed=False)

    answer = Device(BOB).change(channel_id=VOICE)
    assert error(answer) == (400, "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS")
    answer = Device(BOB).change(CALL, channel_id=DM)
    assert error(answer) == (400, "UNCLAIMED_ACCOUNT_CANNOT_JOIN_ONE_ON_ONE_VOICE_CALLS")
    assert Device(BOB).change(f"/channels/{GROUP}/voice-states/@me", channel_id=GROUP).json()


def test_a_full_channel_takes_no_seat_either():
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    seat(ALICE)

    assert error(Device(BOB).change(channel_id=VOICE)) == (400, "VOICE_CHANNEL_FULL")


def test_a_text_channel_is_not_joined():
    assert error(Device(BOB).change(channel_id=TEXT)) == (400, "INVALID_CHANNEL_TYPE")


@pytest.mark.parametrize("channel", [DM, 999])
def test_a_channel_of_elsewhere_is_unknown(channel: int):
    assert error(Device(BOB).change(channel_id=channel)) == (404, "UNKNOWN_CHANNEL")


@pytest.mark.parametrize(
    "body",
    [
        {"self_mute": 1}, {"self_mute": "yes"}, {"self_deaf": None}, {"self_video": []},
        {"self_stream": "true"}, {"channel_id": VOICE}, {"channel_id": "x"}, {"channel_id": "-1"},
        {"channel_id": "0100"}, {"channel_id": True}, {"channel_id": ["100"]},
        {"connection_id": 5}, {"connection_id": None}, {"connection_id": "x" * 65},
        {"connection_id": "a\x00b"}, [], "x", None,
    ],
    ids=repr,
)  # fmt: skip
def test_wrong_types_are_refused(body: Any):
    seat(BOB)
    before = written()

    answer = Device(BOB).patch(MINE, body)

    assert error(answer) == (400, "INVALID_FORM_BODY")
    assert written() == before


def test_what_others_decide_is_read_only():
    seat(BOB)

    state = Device(BOB).set(mute=True, deaf=True, suppress=True, version=9, joined_at="now")

    assert (state["mute"], state["deaf"], state["suppress"]) == (False, False, False)
    assert (state["version"], state["joined_at"]) == (1, None)
    assert not Member.objects.get(user_id=BOB).mute


def test_the_limit_of_devices_ends_the_oldest_unused_seat(west: FakeLiveKit):
    Channel.objects.filter(pk=VOICE).update(voice_connection_limit=2)
    server = Server.objects.get()
    first, second = (seat(BOB, server=server, session=f"device{n}") for n in (1, 2))

    Device(BOB, sid="third").be(VOICE)

    assert not VoiceState.objects.filter(pk=first.pk).exists()
    assert VoiceState.objects.filter(pk=second.pk).exists()
    assert EndedConnection.objects.get().replaced_by == ""
