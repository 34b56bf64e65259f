"""Moving oneself: all or nothing, under a new id that the old one points to."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fluxer.directory.models import Channel, Guild, Member, User
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device, connection_of, error
from tests.voice.scene import (
    ALICE,
    BOB,
    DM,
    GUILD,
    MOIRA,
    OTHER_VOICE,
    TEXT,
    VOICE,
    seat,
    written,
)
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState
from voice.settlement import settle_room

ROOM, OTHER_ROOM = f"guild_{GUILD}_channel_{VOICE}", f"guild_{GUILD}_channel_{OTHER_VOICE}"


def deny(user_id: int, bits: int, channel_id: int = OTHER_VOICE) -> None:
    overwrite = {"id": str(user_id), "type": 1, "allow": "0", "deny": str(bits)}
    Channel.objects.filter(pk=channel_id).update(overwrites=[overwrite])


def test_a_move_gives_a_new_id_and_a_seat_and_goes_on(west: FakeLiveKit):
    bob = Device(BOB, sid="phone")
    old = connection_of(bob.enter(west))
    bob.set(self_mute=True, self_video=True)

    moved = bob.be(OTHER_VOICE)

    assert moved["connection_id"] != old
    assert (moved["channel_id"], moved["session_id"]) == (str(OTHER_VOICE), "phone")
    assert (moved["self_mute"], moved["self_video"]) == (True, True)
    assert (moved["version"], moved["joined_at"]) == (5, None)
    state = VoiceState.objects.get()
    assert state.seat_until is not None
    assert (state.seat_until - timezone.now()).total_seconds() == pytest.approx(60, abs=5)
    assert (state.server_id, state.participant_sid) == (None, "")


def test_the_room_that_was_left_is_settled_and_its_pin_expires(west: FakeLiveKit):
    bob = Device(BOB)
    inside = bob.enter(west)
    bob.be(OTHER_VOICE)

    assert RoomPin.objects.get(channel=VOICE).expires_at is not None
    assert DueRoom.objects.get().room == ROOM
    settle_room(server_id=Server.objects.get().pk, room=ROOM)
    assert (inside.inside, inside.reason) == (False, "PARTICIPANT_REMOVED")
    west.webhooks.deliver()
    assert VoiceState.objects.get().channel_id == OTHER_VOICE


def test_who_stays_keeps_the_pin(west: FakeLiveKit):
    bob = Device(BOB)
    bob.enter(west)
    Device(ALICE).enter(west)

    bob.be(OTHER_VOICE)

    assert RoomPin.objects.get(channel=VOICE).expires_at is None


def test_the_moved_device_gets_a_token_for_its_new_channel(west: FakeLiveKit):
    phone = Device(BOB, sid="phone")
    old = connection_of(phone.enter(west))
    phone.be(OTHER_VOICE)

    found = phone.mine(old).json()
    grant = phone.token(OTHER_VOICE, connection_id=found["connection_id"])
    west.join(grant["token"])

    assert grant["connection_id"] == found["connection_id"]
    assert VoiceState.objects.get().joined_at is not None
    assert error(phone.ask(VOICE, connection_id=old)) == (404, "VOICE_CONNECTION_NOT_FOUND")


def test_flags_may_change_with_the_move_and_count_once(west: FakeLiveKit):
    bob = Device(BOB)
    first = bob.be(VOICE)

    moved = bob.be(OTHER_VOICE, self_deaf=True)

    assert moved["self_deaf"]
    assert moved["version"] == first["version"] + 2  # the old one's end, and the new one


def test_an_old_id_leads_to_the_newest_through_any_number_of_moves(west: FakeLiveKit):
    bob = Device(BOB)
    ids = [bob.be((VOICE, OTHER_VOICE)[n % 2])["connection_id"] for n in range(40)]

    for old in (ids[0], ids[20], ids[-2], ids[-1]):
        assert bob.mine(old).json()["connection_id"] == ids[-1]
    assert bob.set(connection_id=ids[0], self_mute=True)["connection_id"] == ids[-1]
    assert bob.be(None, connection_id=ids[0])["channel_id"] is None
    assert bob.mine(ids[0]).json()["reason"] == "left"


def test_an_old_id_is_followed_in_one_statement(
    west: FakeLiveKit, django_assert_max_num_queries: Any
):
    bob = Device(BOB)
    ids = [bob.be((VOICE, OTHER_VOICE)[n % 2])["connection_id"] for n in range(20)]

    with django_assert_max_num_queries(4):  # the caller, the member, the chain, the states
        bob.mine(ids[0])


def test_a_move_by_an_old_id_moves_what_replaced_it(west: FakeLiveKit):
    bob = Device(BOB, sid="phone")
    first = bob.be(VOICE)["connection_id"]
    bob.be(OTHER_VOICE)

    back = bob.be(VOICE, connection_id=first)

    assert VoiceState.objects.get().pk == back["connection_id"]


def test_only_the_connection_that_is_meant_moves(west: FakeLiveKit):
    phone, desk = Device(BOB, sid="phone"), Device(BOB, sid="desk")
    phone.be(VOICE)
    desk.be(VOICE)

    desk.be(OTHER_VOICE)

    assert phone.mine().json()["channel_id"] == str(VOICE)


def test_what_admitted_somebody_stays_behind(west: FakeLiveKit):
    there = seat(
        BOB, admitted=True, admitted_speak=True, admitted_stream=True, override_stream=False
    )
    deny(BOB, 1 << 21)  # SPEAK

    moved = Device(BOB).be(OTHER_VOICE)

    state = VoiceState.objects.get(pk=moved["connection_id"])
    assert (state.admitted, state.override_stream) == (False, None)
    assert (moved["suppress"], state.can_speak) == (True, False)
    assert not VoiceState.objects.filter(pk=there.pk).exists()


# All or nothing


def full() -> None:
    Channel.objects.filter(pk=OTHER_VOICE).update(user_limit=1)
    seat(ALICE, OTHER_VOICE)


def other_guild() -> None:
    Guild.objects.create(pk=20, name="other", owner_id=BOB)
    Member.objects.create(guild_id=20, user_id=BOB)
    Channel.objects.create(pk=200, type=2, guild_id=20)


def no_server() -> None:
    Server.objects.update(is_draining=True)


def timed_out() -> None:
    until = timezone.now() + timedelta(minutes=1)
    Member.objects.filter(user_id=BOB).update(timed_out_until=until)


def unclaimed() -> None:
    User.objects.filter(pk=BOB).update(is_claimed=False)


def too_many_devices() -> None:
    Channel.objects.filter(pk=OTHER_VOICE).update(voice_connection_limit=1)
    seat(BOB, OTHER_VOICE, server=Server.objects.get(), is_joined=True, session="tv")


REFUSALS: list[tuple[Callable[[], Any], int, tuple[int, str]]] = [
    (full, OTHER_VOICE, (400, "VOICE_CHANNEL_FULL")),
    (lambda: deny(BOB, 1 << 20), OTHER_VOICE, (403, "MISSING_PERMISSIONS")),
    (lambda: deny(BOB, 1 << 10), OTHER_VOICE, (403, "MISSING_PERMISSIONS")),
    (lambda: None, TEXT, (400, "INVALID_CHANNEL_TYPE")),
    (lambda: None, DM, (404, "UNKNOWN_CHANNEL")),
    (lambda: None, 999, (404, "UNKNOWN_CHANNEL")),
    (other_guild, 200, (404, "UNKNOWN_CHANNEL")),
    (no_server, OTHER_VOICE, (503, "FEATURE_TEMPORARILY_DISABLED")),
    (timed_out, OTHER_VOICE, (403, "VOICE_MEMBER_TIMED_OUT")),
    (unclaimed, OTHER_VOICE, (400, "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS")),
    (too_many_devices, OTHER_VOICE, (400, "VOICE_CONNECTION_LIMIT_REACHED")),
]


@pytest.mark.parametrize("how", ["joined", "seated"])
@pytest.mark.parametrize(
    ("refuse", "target", "answer"), REFUSALS, ids=[f"{e[1]} {t}" for _, t, e in REFUSALS]
)
def test_a_refused_move_leaves_everything_as_it_was(
    west: FakeLiveKit,
    refuse: Callable[[], Any],
    target: int,
    answer: tuple[int, str],
    how: str,
):
    bob = Device(BOB, sid="phone")
    bob.be(VOICE)
    if how == "joined":
        bob.enter(west)
    refuse()
    before = written()

    refused = bob.change(channel_id=target, self_mute=True)

    assert error(refused) == answer
    assert written() == before
    assert bob.mine().json()["channel_id"] == str(VOICE)


def test_a_pinned_room_is_moved_to_though_no_server_takes_new_ones(west: FakeLiveKit):
    Device(ALICE).enter(west, OTHER_VOICE)
    bob = Device(BOB)
    bob.enter(west)
    Server.objects.update(is_draining=True)

    assert bob.be(OTHER_VOICE)["channel_id"] == str(OTHER_VOICE)


def test_a_move_into_a_full_channel_where_one_is_with_another_device(west: FakeLiveKit):
    Channel.objects.filter(pk=OTHER_VOICE).update(user_limit=1)
    Device(BOB, sid="tv").enter(west, OTHER_VOICE)
    phone = Device(BOB, sid="phone")
    phone.be(VOICE)

    assert phone.be(OTHER_VOICE)["channel_id"] == str(OTHER_VOICE)


def test_the_one_who_moves_out_makes_room(west: FakeLiveKit):
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    bob, moira = Device(BOB), Device(MOIRA)
    bob.be(VOICE)
    assert error(moira.change(channel_id=VOICE)) == (400, "VOICE_CHANNEL_FULL")

    bob.be(OTHER_VOICE)

    assert moira.be(VOICE)["channel_id"] == str(VOICE)


def test_who_moved_never_returns_under_the_old_id(west: FakeLiveKit):
    bob = Device(BOB)
    grant = bob.token()
    west.join(grant["token"])
    bob.be(OTHER_VOICE)

    west.join(grant["token"])
    settle_room(server_id=Server.objects.get().pk, room=ROOM)

    assert west.identities(ROOM) == set()
    assert VoiceState.objects.get().channel_id == OTHER_VOICE
    assert EndedConnection.objects.get(pk=grant["connection_id"]).may_return_until is None
