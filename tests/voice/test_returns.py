"""Coming back, under the old identity: every clause of the rule."""

from collections.abc import Callable
from typing import Any

import pytest

from fluxer.directory.models import Channel, Member
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device
from tests.voice.scene import ALICE, BOB, DM, GUILD, MOIRA, OTHER_VOICE, VOICE
from voice import due, pins
from voice.models import EndedConnection, RoomPin, VoiceState
from voice.settlement import settle_room
from voice.states import endings

ROOM = f"guild_{GUILD}_channel_{VOICE}"


class Client:
    """Bob's phone: in, lost, and back with the token it has."""

    def __init__(self, fake: FakeLiveKit) -> None:
        self.fake, self.device = fake, Device(BOB, sid="phone")
        self.grant = self.device.token()
        self.visit = fake.join(self.grant["token"])

    @property
    def connection_id(self) -> str:
        return self.grant["connection_id"]

    def lose(self, reason: str = "CLIENT_INITIATED") -> None:
        self.visit.leave(reason)

    def back(self) -> bool:
        """Whether it is in again, once LiveKit has followed."""
        self.visit = self.fake.join(self.fake.token(ROOM, self.visit.identity))
        server_id = Server.objects.get(api_key=self.fake.key).pk
        due.mark((server_id, ROOM))
        settle_room(server_id=server_id, room=ROOM)
        self.fake.webhooks.deliver()
        state = VoiceState.objects.filter(pk=self.connection_id, joined_at__isnull=False)
        assert state.exists() == self.visit.inside
        return self.visit.inside


@pytest.fixture
def phone(west: FakeLiveKit) -> Client:
    return Client(west)


REASONS = [
    "CLIENT_INITIATED", "CONNECTION_TIMEOUT", "SERVER_SHUTDOWN", "STATE_MISMATCH",
    "JOIN_FAILURE", "SIGNAL_CLOSE", "ROOM_CLOSED", "UNKNOWN_REASON",
]  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_who_was_lost_for_whatever_reason_returns(phone: Client, reason: str):
    phone.lose(reason)
    assert EndedConnection.objects.get().reason == "lost"

    assert phone.back()
    assert not EndedConnection.objects.exists()


@pytest.mark.parametrize("reason", ["PARTICIPANT_REMOVED", "ROOM_DELETED"])
def test_who_was_put_out_does_not(phone: Client, reason: str):
    phone.lose(reason)

    assert not phone.back()


def test_flags_rights_and_version_go_on(phone: Client):
    phone.device.set(self_mute=True, self_video=True)
    VoiceState.objects.update(override_stream=False, admitted=True, admitted_speak=True)
    version = VoiceState.objects.get().version
    phone.lose()

    assert phone.back()
    state = VoiceState.objects.get()
    assert (state.self_mute, state.self_video, state.session) == (True, True, "phone")
    assert (state.override_stream, state.can_stream) == (False, False)
    assert (state.admitted, state.admitted_speak) == (True, True)
    assert state.version == version + 2


def test_the_rights_are_those_of_now(phone: Client):
    phone.lose()
    Member.objects.filter(user_id=BOB).update(mute=True)

    assert phone.back()
    assert VoiceState.objects.get().mute


def test_the_window_closes(phone: Client, later: Callable[[float], None], settings: Any):
    phone.lose()
    later(settings.VOICE_RETURN_WINDOW + 1)

    assert not phone.back()


def test_a_seat_that_lapsed_may_be_taken_within_the_window(west: FakeLiveKit, later: Any):
    token = Device(BOB).token()["token"]
    VoiceState.objects.update(seat_until=VoiceState.objects.get().created_at)
    endings.lapse(channel_id=VOICE)
    assert EndedConnection.objects.get().reason == "expired"

    west.join(token)

    assert VoiceState.objects.get().joined_at is not None


def test_a_visit_that_was_over_before_its_seat_lapsed_is_old_news(west: FakeLiveKit):
    token = Device(BOB).token()["token"]
    with west.webhooks.held() as held:
        west.join(token).leave()
    joined, left = held
    west.webhooks.send(left)
    VoiceState.objects.update(seat_until=VoiceState.objects.get().created_at)
    endings.lapse(channel_id=VOICE)

    west.webhooks.send(joined)

    assert not VoiceState.objects.exists()


def test_not_to_another_server(phone: Client, east: FakeLiveKit):
    phone.lose()
    east.rooms.create(ROOM, empty=60, departure=60, metadata="")
    there = east.join(east.token(ROOM, phone.visit.identity))

    settle_room(server_id=Server.objects.get(region="us-east").pk, room=ROOM)

    assert not there.inside
    assert phone.back(), "what is shown elsewhere does not bar it here"


def test_not_when_the_room_is_pinned_elsewhere(phone: Client, east: FakeLiveKit):
    phone.lose()
    pins.remove(channel_id=VOICE)
    Device(ALICE).enter(east, region="us-east")

    assert not phone.back()
    assert RoomPin.objects.get().server.region_id == "us-east"


def test_to_a_room_that_is_pinned_nowhere_which_is_pinned_again(phone: Client):
    phone.lose()
    pins.remove(channel_id=VOICE)

    assert phone.back()
    pin = RoomPin.objects.get()
    assert (pin.server.region_id, pin.expires_at) == ("us-west", None)


def test_the_timer_of_the_pin_stops(phone: Client):
    phone.lose()
    assert RoomPin.objects.get().expires_at is not None

    phone.back()

    assert RoomPin.objects.get().expires_at is None


def test_not_without_the_right(phone: Client):
    phone.lose()
    overwrite = {"id": str(BOB), "type": 1, "allow": "0", "deny": str(1 << 20)}
    Channel.objects.filter(pk=VOICE).update(overwrites=[overwrite])

    assert not phone.back()
    Channel.objects.filter(pk=VOICE).update(overwrites=[])
    assert not phone.back(), "a removal is under way: the end is final"


def test_not_when_the_seat_is_somebody_elses(phone: Client):
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    phone.lose()
    Device(ALICE).enter(phone.fake)

    assert not phone.back()


def test_not_beyond_the_limit_of_devices(phone: Client):
    Channel.objects.filter(pk=VOICE).update(voice_connection_limit=1)
    phone.lose()
    Device(BOB, sid="desk").enter(phone.fake)

    assert not phone.back()


@pytest.mark.parametrize("channel", [VOICE, OTHER_VOICE, DM])
def test_not_when_its_session_is_elsewhere(phone: Client, channel: int):
    phone.lose()
    guild = {"guild_id": str(GUILD)} if channel != DM else {}
    phone.device.token(channel, **guild)

    assert not phone.back()


def test_not_when_its_session_was_elsewhere_since(phone: Client):
    phone.lose()
    phone.device.be(OTHER_VOICE)
    phone.device.change("/channels/103/voice-states/@me", channel_id=103)
    phone.device.change("/channels/103/voice-states/@me", channel_id=None)

    assert not phone.back()


def test_another_session_of_the_same_person_does_not_matter(phone: Client):
    phone.lose()
    Device(BOB, sid="desk").enter(phone.fake, OTHER_VOICE)

    assert phone.back()


# What we ended never returns, nor does who was away then


def leave(phone: Client) -> None:
    phone.device.be(None)


def move(phone: Client) -> None:
    phone.device.be(OTHER_VOICE)


def kick(phone: Client) -> None:
    answer = Device(MOIRA).patch(f"/guilds/{GUILD}/members/{BOB}", {"channel_id": None})
    assert answer.status_code in (200, 400)


def disconnect_channel(phone: Client) -> None:
    assert Device(ALICE).post(f"/channels/{VOICE}/voice/disconnect").status_code == 200


def change_region(phone: Client) -> None:
    answer = Device(ALICE).patch(f"/channels/{VOICE}", {"rtc_region": "us-west"})
    assert answer.status_code == 200


VERBS = [leave, move, kick, disconnect_channel, change_region]


@pytest.mark.parametrize("verb", VERBS)
def test_what_we_ended_never_returns(phone: Client, verb: Callable[[Client], None]):
    verb(phone)

    assert not phone.back()


@pytest.mark.parametrize("verb", [leave, disconnect_channel, change_region])
def test_nor_does_who_was_away_then(phone: Client, verb: Callable[[Client], None]):
    phone.lose()
    verb(phone)

    assert not phone.back()
