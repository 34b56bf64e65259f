"""The rest of what LiveKit tells: rooms that end, tracks that lie, and how we answer it.

Visits in every order, and who may tell of them, are in `test_visits`.
"""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from livekit.protocol.models import ParticipantInfo, Room, TrackInfo, TrackType

from fluxer.directory.models import Channel, Member
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import FakeParticipant
from tests.livekit.signed import sign
from tests.voice.devices import Device, connection_of
from tests.voice.frozen import hold
from tests.voice.scene import ALICE, BOB, GUILD, VOICE, seat, written
from voice import due, pins
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState
from voice.settlement import settle_room

ROOM = f"guild_{GUILD}_channel_{VOICE}"
PATH = "/webhooks/livekit/us-west/us-west-1"


def tell(fake: FakeLiveKit, event: str, **about: Any) -> int:
    """Send one event made by hand; the status."""
    return fake.webhooks.send(fake.webhook(event, **about))


@pytest.fixture
def inside(west: FakeLiveKit) -> FakeParticipant:
    """Bob, in."""
    return Device(BOB).enter(west)


# Rooms that end


def test_a_room_that_finished_ends_who_was_in_it(west: FakeLiveKit, inside: FakeParticipant):
    [room] = west.rooms.listing([ROOM])

    assert tell(west, "room_finished", room=room) == 200

    ended = EndedConnection.objects.get(pk=connection_of(inside))
    assert ended.reason == "lost"
    assert ended.may_return_until is not None
    assert RoomPin.objects.get().expires_at is not None


def test_another_incarnation_of_the_room_is_not_ours(west: FakeLiveKit, inside: FakeParticipant):
    before = VoiceState.objects.values().get()

    assert tell(west, "room_finished", room=Room(name=ROOM, sid="RM_other")) == 200
    assert tell(west, "room_finished", room=Room(name=ROOM)) == 200

    assert VoiceState.objects.values().get() == before


def test_a_later_visit_is_not_of_the_earlier_room(west: FakeLiveKit, inside: FakeParticipant):
    """The room closed and was made again; its end is told late, after the rejoin."""
    [old] = west.rooms.listing([ROOM])
    with west.webhooks.held() as held:
        west.rooms.close(ROOM)
        west.rooms.create(ROOM, empty=60, departure=60, metadata="")
    grant = Device(BOB).token(connection_id=connection_of(inside))
    west.join(grant["token"])
    for late in held:
        west.webhooks.send(late)

    assert VoiceState.objects.get().joined_at is not None
    assert VoiceState.objects.get().room_sid != old.sid


def test_a_visit_that_a_listing_showed_is_of_no_known_room(
    west: FakeLiveKit, inside: FakeParticipant
):
    [old] = west.rooms.listing([ROOM])
    token = Device(BOB).token(connection_id=connection_of(inside))["token"]
    with west.webhooks.held() as held:
        west.rooms.close(ROOM)
        west.rooms.create(ROOM, empty=60, departure=60, metadata="")
        west.join(token)
    pins.cool(channel_id=VOICE, server_id=Server.objects.get().pk)
    settle(west)
    assert VoiceState.objects.get().room_sid == ""

    assert tell(west, "room_finished", room=old) == 200
    assert VoiceState.objects.get().joined_at is not None

    joined = next(late for late in held if late.event.event == "participant_joined")
    west.webhooks.send(joined)
    assert VoiceState.objects.get().room_sid not in ("", old.sid)


def settle(fake: FakeLiveKit) -> None:
    server_id = Server.objects.get(api_key=fake.key).pk
    due.mark((server_id, ROOM))
    settle_room(server_id=server_id, room=ROOM)


def test_who_still_has_a_seat_gets_the_room_again(west: FakeLiveKit):
    token = Device(BOB).token()["token"]
    west.rooms.close(ROOM)
    west.webhooks.deliver()

    assert RoomPin.objects.get().made_at.year == 1970
    assert DueRoom.objects.get().room == ROOM
    settle_room(server_id=Server.objects.get().pk, room=ROOM)
    west.join(token)
    assert VoiceState.objects.get().joined_at is not None


def test_the_next_token_makes_a_finished_room_again(west: FakeLiveKit):
    Device(BOB).enter(west).leave()
    west.rooms.close(ROOM)
    west.webhooks.deliver()

    west.join(Device(ALICE).token()["token"])

    assert VoiceState.objects.get().user_id == ALICE


# Tracks


def test_sound_in_a_source_of_pictures_puts_its_publisher_out(
    west: FakeLiveKit, inside: FakeParticipant
):
    inside.publish("CAMERA", "AUDIO")

    ended = EndedConnection.objects.get(pk=connection_of(inside))
    assert (ended.reason, ended.may_return_until) == ("disconnected", None)
    settle_room(server_id=Server.objects.get().pk, room=ROOM)
    assert not inside.inside


def test_who_lied_and_left_does_not_return(west: FakeLiveKit):
    token = Device(BOB).token()["token"]
    lying = west.join(token)
    with west.webhooks.held() as held:
        lying.publish("CAMERA", "AUDIO")
    lying.leave()
    west.webhooks.send(held[0])

    west.join(token)

    assert not VoiceState.objects.exists()


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("MICROPHONE", "AUDIO"),
        ("CAMERA", "VIDEO"),
        ("SCREEN_SHARE", "VIDEO"),
        ("SCREEN_SHARE_AUDIO", "AUDIO"),
    ],
)
def test_an_honest_track_that_was_granted_is_fine(inside: FakeParticipant, source: str, kind: str):
    before = written()

    inside.publish(source, kind)

    assert written() == before


def test_a_source_that_was_not_granted_has_the_room_settled(
    west: FakeLiveKit, inside: FakeParticipant
):
    VoiceState.objects.update(can_speak=False, suppress=True)
    inside.publish("MICROPHONE")

    assert DueRoom.objects.get().room == ROOM
    settle_room(server_id=Server.objects.get().pk, room=ROOM)
    assert inside.inside
    assert inside.published == set()


def test_the_track_of_a_stranger_has_the_room_settled(west: FakeLiveKit, inside: FakeParticipant):
    for identity in ("egress", "user_3_conn_x", f"user_3_{connection_of(inside)}"):
        DueRoom.objects.all().delete()
        who = ParticipantInfo(sid="PA_x", identity=identity)
        track = TrackInfo(sid="TR_x", source="MICROPHONE", type="AUDIO")
        assert tell(west, "track_published", room=ROOM, participant=who, track=track) == 200
        assert DueRoom.objects.get().room == ROOM
    assert VoiceState.objects.get().joined_at is not None


def test_a_track_of_another_kind_is_not_a_lie(west: FakeLiveKit, inside: FakeParticipant):
    who = ParticipantInfo(sid=inside.sid, identity=inside.identity)
    track = TrackInfo(sid="TR_x", type=TrackType.DATA)

    assert tell(west, "track_published", room=ROOM, participant=who, track=track) == 200
    assert VoiceState.objects.get().joined_at is not None


# Who joins


def test_somebody_banned_while_joining_is_out(west: FakeLiveKit):
    token = Device(BOB).token()["token"]
    Member.objects.filter(user_id=BOB).delete()

    visit = west.join(token)

    ended = EndedConnection.objects.get()
    assert (ended.reason, ended.may_return_until) == ("no_access", None)
    settle_room(server_id=Server.objects.get().pk, room=ROOM)
    assert not visit.inside


def test_somebody_muted_while_joining_is_set_right(west: FakeLiveKit):
    token = Device(BOB).token()["token"]
    Member.objects.filter(user_id=BOB).update(mute=True)

    visit = west.join(token)

    assert VoiceState.objects.get().mute
    settle_room(server_id=Server.objects.get().pk, room=ROOM)
    with pytest.raises(Exception, match="may not publish"):
        visit.publish("MICROPHONE")


def test_a_seat_that_lapsed_is_taken_where_the_room_still_is(west: FakeLiveKit):
    token = Device(BOB).token()["token"]
    VoiceState.objects.update(seat_until=timezone.now())

    west.join(token)

    assert VoiceState.objects.get().joined_at is not None


def test_a_seat_that_lapsed_does_not_split_the_room(west: FakeLiveKit, east: FakeLiveKit):
    token = Device(BOB).token(region="us-west")["token"]
    VoiceState.objects.update(seat_until=timezone.now())
    RoomPin.objects.all().delete()
    Device(ALICE).enter(east, region="us-east")

    visit = west.join(token)

    assert EndedConnection.objects.get().reason == "expired"
    assert VoiceState.objects.get().user_id == ALICE
    settle_room(server_id=Server.objects.get(region="us-west").pk, room=ROOM)
    assert not visit.inside


def test_a_seat_that_lapsed_pins_a_room_that_is_pinned_nowhere(west: FakeLiveKit):
    token = Device(BOB).token()["token"]
    VoiceState.objects.update(seat_until=timezone.now())
    RoomPin.objects.all().delete()

    west.join(token)

    assert RoomPin.objects.get().server == Server.objects.get()


def test_a_seat_that_lapsed_in_a_channel_that_is_full_is_gone(west: FakeLiveKit):
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    token = Device(BOB).token()["token"]
    VoiceState.objects.update(seat_until=timezone.now())
    Device(ALICE).enter(west)

    west.join(token)

    assert VoiceState.objects.get().user_id == ALICE


def test_a_permission_that_a_newer_livekit_knows_is_not_ours(
    west: FakeLiveKit, inside: FakeParticipant
):
    inside.info.permission.can_publish_sources.append(77)  # type: ignore[arg-type]
    settle(west)

    assert 77 not in inside.info.permission.can_publish_sources


# How it is answered


def post(body: bytes, *, key: str, secret: str, path: str = PATH) -> int:
    answer = Client(raise_request_exception=False).post(
        path,
        body,
        content_type="application/webhook+json",
        headers={"Authorization": sign(body, key=key, secret=secret)},
    )
    return int(answer.status_code)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"not json", b'{"event": 5}', b"\xff\xfe"])
def test_what_is_signed_and_no_event_is_unreadable(west: FakeLiveKit, body: bytes):
    assert post(body, key=west.key, secret=west.secret) == 400


def test_a_body_that_is_too_large_is_not_read(west: FakeLiveKit):
    body = b'{"event":"room_started","room":{"metadata":"' + b"x" * 256 * 1024 + b'"}}'

    assert post(body, key=west.key, secret=west.secret) == 413


def test_a_large_body_below_the_limit_is(west: FakeLiveKit):
    body = b'{"event":"room_started","room":{"metadata":"' + b"x" * 200 * 1024 + b'"}}'

    assert post(body, key=west.key, secret=west.secret) == 200


@pytest.mark.parametrize("event", ["participant_joined", "participant_left", "track_published"])
def test_an_event_with_nothing_in_it_is_fine(west: FakeLiveKit, event: str):
    body = b'{"event":"%s","room":{"name":"%s"}}' % (event.encode(), ROOM.encode())

    assert post(body, key=west.key, secret=west.secret) == 200
    assert not VoiceState.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_while_the_room_is_locked_livekit_is_told_to_come_again(
    west: FakeLiveKit, inside: FakeParticipant
):
    with hold(VOICE):
        left = west.webhook("participant_left", room=ROOM, participant=inside)
        assert west.webhooks.send(left) == 503
    assert VoiceState.objects.exists()
    assert west.webhooks.send(left) == 200
    assert not VoiceState.objects.exists()


def test_a_seat_by_hand_is_matched_by_server_too(west: FakeLiveKit, east: FakeLiveKit):
    state = seat(BOB, server=Server.objects.get(region="us-east"))
    west.rooms.create(ROOM, empty=60, departure=60, metadata="")
    visit = west.join(west.token(ROOM, f"user_{BOB}_{state.pk}"))

    assert VoiceState.objects.get().joined_at is None
    settle_room(server_id=Server.objects.get(region="us-west").pk, room=ROOM)
    assert not visit.inside
    assert VoiceState.objects.get().pk == state.pk
