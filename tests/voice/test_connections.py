"""Renewals, the limit of devices, and seats that lapse."""

import uuid
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.utils import timezone

from fluxer.directory.models import Channel, Role
from fluxer.directory.permissions import Permission
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.scene import (
    ALICE,
    BOB,
    GUILD,
    MOIRA,
    OTHER_VOICE,
    VOICE,
    Caller,
    seat,
    server,
    written,
)
from voice import tasks
from voice.models import DueRoom, EndedConnection, EndReason, RoomPin, VoiceState
from voice.settlement import settle_room
from voice.states import endings

ROOM = f"guild_{GUILD}_channel_{VOICE}"


def limit_devices(limit: int) -> None:
    Channel.objects.filter(pk=VOICE).update(voice_connection_limit=limit)


def settle() -> None:
    """Settle every due room, and hear what comes of it."""
    for due in DueRoom.objects.all():
        settle_room(server_id=due.server_id, room=due.room)


def claims(grant: dict[str, str]) -> dict[str, Any]:
    return jwt.decode(grant["token"], options={"verify_signature": False})


# Renewal


def test_a_renewal_is_the_same_seat_with_another_token(west: FakeLiveKit, alice: Caller):
    first = alice.token()
    before: Any = VoiceState.objects.values().get()

    second = alice.token(connection_id=first["connection_id"])

    after: Any = VoiceState.objects.values().get()
    assert second["connection_id"] == first["connection_id"]
    assert second["token_nonce"] != first["token_nonce"]
    assert claims(second)["sub"] == claims(first)["sub"]
    assert after["token_nonce"] == uuid.UUID(second["token_nonce"])
    assert after["seat_until"] > before["seat_until"]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"token_nonce", "seat_until"}
    assert not DueRoom.objects.exists()


def test_a_renewal_disturbs_nobody_who_is_in(west: FakeLiveKit, alice: Caller, bob: Caller):
    grant = alice.token()
    visits = [west.join(grant["token"]), west.join(bob.token()["token"])]
    before: Any = VoiceState.objects.values().get(user_id=ALICE)

    renewed = alice.token(connection_id=grant["connection_id"])

    after: Any = VoiceState.objects.values().get(user_id=ALICE)
    assert {name for name in after if after[name] != before[name]} == {"token_nonce"}
    tasks.tidy()
    settle_now(west)
    assert all(visit.inside for visit in visits)
    # The client uses the new token: LiveKit puts the new visit in the old one's place.
    again = west.join(renewed["token"])
    settle_now(west)
    assert again.inside
    assert VoiceState.objects.get(user_id=ALICE).participant_sid == again.sid
    assert not EndedConnection.objects.exists()


def settle_now(fake: FakeLiveKit) -> None:
    from voice import due

    due.mark((Server.objects.get(api_key=fake.key).pk, ROOM))
    settle()
    fake.webhooks.deliver()


def test_a_renewal_needs_the_rights_again(west: FakeLiveKit, bob: Caller):
    grant = bob.token()
    Role.objects.filter(pk=GUILD).update(permissions=Permission.VIEW_CHANNEL)

    answer = bob.ask(connection_id=grant["connection_id"])

    assert answer.json()["code"] == "MISSING_PERMISSIONS"


def test_a_renewal_passes_a_full_channel_and_the_limit_of_devices(
    west: FakeLiveKit, alice: Caller, bob: Caller
):
    grants = [alice.token(), alice.token(), bob.token()]
    Channel.objects.filter(pk=VOICE).update(user_limit=1, voice_connection_limit=1)

    renewed = [
        caller.token(connection_id=grant["connection_id"])
        for caller, grant in zip((alice, alice, bob), grants, strict=True)
    ]

    assert [g["connection_id"] for g in renewed] == [g["connection_id"] for g in grants]
    assert VoiceState.objects.count() == 3


def refused_renewal(caller: Caller, connection_id: str, channel_id: int = VOICE) -> None:
    before = written()
    answer = caller.ask(channel_id, connection_id=connection_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "VOICE_CONNECTION_NOT_FOUND")
    assert written() == before


def test_a_connection_of_somebody_else_is_none(west: FakeLiveKit, alice: Caller, bob: Caller):
    bob.token()

    refused_renewal(bob, alice.token()["connection_id"])


def test_a_connection_elsewhere_is_none(west: FakeLiveKit, alice: Caller):
    refused_renewal(alice, alice.token()["connection_id"], OTHER_VOICE)


def test_an_ended_connection_is_none(west: FakeLiveKit, alice: Caller):
    grant = alice.token()
    west.join(grant["token"]).leave()

    refused_renewal(alice, grant["connection_id"])


@pytest.mark.parametrize("tidied", [False, True])
def test_a_lapsed_seat_is_none(west: FakeLiveKit, alice: Caller, later: Any, tidied: bool):
    grant = alice.token()
    later(settings.VOICE_TOKEN_TTL + settings.VOICE_TOKEN_LEEWAY + 1)
    if tidied:
        tasks.tidy()

    refused_renewal(alice, grant["connection_id"])


def test_a_replaced_connection_is_none(west: FakeLiveKit):
    phone = Caller(ALICE, sid="phone")
    old = phone.token()
    phone.token()

    refused_renewal(phone, old["connection_id"])


# The limit of devices


def test_at_the_limit_the_oldest_seat_that_never_joined_ends(west: FakeLiveKit, alice: Caller):
    limit_devices(3)
    joined = alice.token()
    west.join(joined["token"])
    oldest, newer = alice.token(), alice.token()

    newest = alice.token()

    alive = set(VoiceState.objects.values_list("pk", flat=True))
    assert alive == {grant["connection_id"] for grant in (joined, newer, newest)}
    ended = EndedConnection.objects.get()
    assert (ended.pk, ended.reason) == (oldest["connection_id"], "replaced")
    assert ended.may_return_until is None


def test_only_when_all_are_joined_it_is_refused(west: FakeLiveKit, alice: Caller):
    limit_devices(2)
    for _ in range(2):
        west.join(alice.token()["token"])
    before = written()

    answer = alice.ask()

    assert (answer.status_code, answer.json()["code"]) == (400, "VOICE_CONNECTION_LIMIT_REACHED")
    assert written() == before


def test_a_lowered_limit_throws_out_nobody_who_is_in(west: FakeLiveKit, alice: Caller):
    for _ in range(3):
        west.join(alice.token()["token"])
    limit_devices(1)

    assert alice.ask().json()["code"] == "VOICE_CONNECTION_LIMIT_REACHED"
    assert VoiceState.objects.count() == 3


def test_others_and_other_channels_do_not_count(west: FakeLiveKit, alice: Caller, bob: Caller):
    limit_devices(1)
    Channel.objects.filter(pk=OTHER_VOICE).update(voice_connection_limit=1)
    for caller, channel in ((alice, OTHER_VOICE), (bob, VOICE)):
        west.join(caller.token(channel)["token"])

    assert alice.ask().status_code == 200


def test_a_lapsed_seat_does_not_count(west: FakeLiveKit, alice: Caller, later: Any):
    limit_devices(1)
    lapsed = alice.token()
    later(200)
    alice.token()

    assert VoiceState.objects.count() == 2  # until it is tidied away
    tasks.tidy()
    assert EndedConnection.objects.get().pk == lapsed["connection_id"]
    assert EndedConnection.objects.get().reason == "expired"


def test_a_session_is_not_refused_its_own_place(west: FakeLiveKit):
    limit_devices(1)
    phone = Caller(ALICE, sid="phone")
    west.join(phone.token()["token"])

    assert phone.ask().status_code == 200
    assert Caller(ALICE, sid="desktop").ask().status_code == 200  # ends the phone's new seat
    assert VoiceState.objects.count() == 1


# Seats that lapse


def lapse(later: Any) -> None:
    later(settings.VOICE_TOKEN_TTL + settings.VOICE_TOKEN_LEEWAY + 1)


def test_tidying_ends_lapsed_seats_and_times_the_pin(
    west: FakeLiveKit, alice: Caller, bob: Caller, later: Any
):
    grant = alice.token()
    lapse(later)
    his = bob.token()
    tasks.tidy()

    ended = EndedConnection.objects.get()
    assert (ended.pk, ended.reason) == (grant["connection_id"], "expired")
    assert ended.may_return_until is not None
    assert VoiceState.objects.get().pk == his["connection_id"]
    assert RoomPin.objects.get().expires_at is None  # bob holds it
    lapse(later)
    tasks.tidy()
    assert RoomPin.objects.get().expires_at is not None


def long_lived(fake: FakeLiveKit, grant: dict[str, str]) -> str:
    """The same participant with a token that LiveKit still takes: it refreshes its own."""
    said = claims(grant)
    video = said["video"]
    permission = {name: value for name, value in video.items() if name != "room"}
    return fake.token(video["room"], said["sub"], ttl=3600, **permission)


@pytest.mark.parametrize("tidied", [False, True])
def test_who_turns_up_late_is_let_in_if_there_is_room(
    west: FakeLiveKit, alice: Caller, later: Any, tidied: bool
):
    grant = alice.token()
    lapse(later)
    if tidied:
        tasks.tidy()

    visit = west.join(long_lived(west, grant))
    settle()

    assert visit.inside
    state = VoiceState.objects.get()
    assert (state.pk, state.participant_sid) == (grant["connection_id"], visit.sid)
    assert not EndedConnection.objects.exists()
    assert RoomPin.objects.get().expires_at is None


@pytest.mark.parametrize("tidied", [False, True])
def test_who_turns_up_late_to_a_full_channel_is_removed(
    west: FakeLiveKit, alice: Caller, bob: Caller, later: Any, tidied: bool
):
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    grant = alice.token()
    lapse(later)
    bob.token()
    if tidied:
        tasks.tidy()

    visit = west.join(long_lived(west, grant))
    settle()

    assert not visit.inside
    assert VoiceState.objects.get().user_id == BOB
    assert EndedConnection.objects.get().may_return_until is None


def test_who_turns_up_too_late_is_removed(west: FakeLiveKit, alice: Caller, later: Any):
    grant = alice.token()
    lapse(later)
    tasks.tidy()
    later(settings.VOICE_RETURN_WINDOW + 1)

    visit = west.join(long_lived(west, grant))
    settle()

    assert not visit.inside
    assert not VoiceState.objects.exists()


def test_who_turns_up_late_without_the_right_is_removed(west: FakeLiveKit, bob: Caller, later: Any):
    grant = bob.token()
    lapse(later)
    Role.objects.filter(pk=GUILD).update(permissions=0)

    visit = west.join(long_lived(west, grant))
    settle()

    assert not visit.inside
    assert EndedConnection.objects.get().reason == "no_access"


@pytest.mark.parametrize("tidied", [False, True])
def test_who_turns_up_late_where_the_room_no_longer_is_is_removed(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, later: Any, tidied: bool
):
    """Their seat lapsed and the pin went; the next one opened the room elsewhere."""
    grant = alice.token(region="us-west")
    lapse(later)
    if tidied:
        tasks.tidy()
    RoomPin.objects.all().delete()
    theirs = east.join(bob.token(region="us-east")["token"])

    visit = west.join(long_lived(west, grant))
    settle()

    assert not visit.inside
    assert theirs.inside
    assert VoiceState.objects.get().user_id == BOB


@pytest.mark.parametrize("tidied", [False, True])
def test_who_turns_up_late_to_a_room_without_a_pin_pins_it(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, later: Any, tidied: bool
):
    grant = alice.token(region="us-west")
    lapse(later)
    if tidied:
        tasks.tidy()
    RoomPin.objects.all().delete()

    visit = west.join(long_lived(west, grant))

    assert RoomPin.objects.get().server == Server.objects.get(api_key=west.key)
    assert visit.inside
    assert bob.token(region="us-east")["endpoint"] == west.url


# A connection that was opened ahead of its token


def test_a_seat_opened_ahead_of_its_token_is_the_one_that_gets_it(west: FakeLiveKit, alice: Caller):
    state = seat(ALICE)

    assert alice.token()["connection_id"] == state.pk
    assert alice.token()["connection_id"] != state.pk  # claimed once


def test_it_is_only_for_its_own_session(west: FakeLiveKit, alice: Caller):
    state = seat(ALICE, session="phone")

    assert Caller(ALICE, sid="desktop").token()["connection_id"] != state.pk
    assert Caller(ALICE, sid="phone").token()["connection_id"] == state.pk


def test_without_a_session_any_will_do(west: FakeLiveKit, alice: Caller):
    state = seat(ALICE, session="phone")

    assert alice.token()["connection_id"] == state.pk


def test_one_that_a_moderator_moved_in_needs_no_right_of_their_own(west: FakeLiveKit, bob: Caller):
    Role.objects.filter(pk=GUILD).update(permissions=0)
    state = seat(BOB, admitted=True, admitted_speak=True)

    grant = bob.token()

    assert grant["connection_id"] == state.pk
    assert claims(grant)["video"]["canPublishSources"] == ["microphone"]


# What is forgotten


def test_what_ended_is_remembered_for_fifteen_minutes(west: FakeLiveKit, alice: Caller, later: Any):
    west.join(alice.token()["token"]).leave()
    later(14 * 60)
    tasks.tidy()
    assert EndedConnection.objects.exists()

    later(2 * 60)
    tasks.tidy()
    assert not EndedConnection.objects.exists()


def test_seats_of_many_channels_are_tidied(west: FakeLiveKit, later: Any):
    server(west, slug="twin")
    for user in (ALICE, BOB, MOIRA):
        for channel in (VOICE, OTHER_VOICE):
            seat(user, channel)
    lapse(later)
    tasks.tidy()

    assert not VoiceState.objects.exists()
    reasons = set(EndedConnection.objects.values_list("reason", flat=True))
    assert reasons == {EndReason.EXPIRED}
    assert endings.lapsed(now=timezone.now()) == []
