"""Two real clients on a real server: whatever else is faked, this is what LiveKit does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from livekit.protocol.models import ParticipantPermission, TrackSource

from fluxer import livekit
from tests.livekit.rtc import RtcClient, RtcError
from tests.livekit.tokens import make_token

pytestmark = pytest.mark.slow

ROOM = "guild_1_channel_2"
NOWHERE = "http://127.0.0.1:9/"

Meet = Callable[..., RtcClient]


@pytest.fixture(scope="module")
def server(livekit_servers: Callable[..., Any]) -> Any:
    return livekit_servers(NOWHERE)


@pytest.fixture
def door(server: Any) -> livekit.LiveKitServer:
    door = livekit.LiveKitServer(server.api_url, server.key, server.secret)
    livekit.create_room(door, name=ROOM, empty_timeout=60, departure_timeout=60)
    return door


@pytest.fixture
def meet(server: Any, door: livekit.LiveKitServer, rtc: Callable[..., RtcClient]) -> Meet:
    """Somebody of this name, in the room."""

    def meet(name: str, **grant: Any) -> RtcClient:
        token = make_token(key=server.key, secret=server.secret, room=ROOM, identity=name, **grant)
        client = rtc(server.url, token, name=name)
        client.connect()
        return client

    return meet


def tracks_of(identity: str, door: livekit.LiveKitServer) -> set[int]:
    listed = livekit.list_participants(door, room=ROOM)
    return {track.source for info in listed if info.identity == identity for track in info.tracks}


def test_alice_and_bob_hear_each_other(meet: Meet) -> None:
    alice, bob = meet("alice"), meet("bob")
    alice.publish_microphone(440)
    bob.publish_microphone(880)
    assert bob.hears("alice")
    assert alice.hears("bob")
    assert alice.participants() == ["bob"]


def test_whoever_may_not_publish_does_not(meet: Meet, door: livekit.LiveKitServer) -> None:
    """This client is never told: its publishing just does not come to an end."""
    charlie = meet("charlie", canPublish=False)
    with pytest.raises(RtcError):
        charlie.publish_microphone(timeout=1)
    assert not tracks_of("charlie", door)


def test_a_camera_is_no_microphone(meet: Meet, door: livekit.LiveKitServer) -> None:
    charlie = meet("charlie", canPublish=True, canPublishSources=["camera"])
    charlie.publish_camera()
    with pytest.raises(RtcError):
        charlie.publish_microphone(timeout=1)
    assert tracks_of("charlie", door) == {TrackSource.CAMERA}


def test_a_room_that_nobody_made_cannot_be_joined(
    server: Any, rtc: Callable[..., RtcClient]
) -> None:
    token = make_token(key=server.key, secret=server.secret, room="dm_404", identity="alice")
    with pytest.raises(RtcError):
        rtc(server.url, token).connect(timeout=5)


def test_taking_the_microphone_away_silences_at_once(
    meet: Meet, door: livekit.LiveKitServer
) -> None:
    alice, bob = meet("alice"), meet("bob")
    alice.publish_microphone()
    assert bob.hears("alice")
    muted = ParticipantPermission(
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
        can_publish_sources=[TrackSource.CAMERA],
    )
    livekit.update_participant(door, room=ROOM, identity="alice", permission=muted)
    bob.wait_for("track_unpublished", timeout=2, identity="alice")
    with pytest.raises(RtcError):
        alice.publish_microphone(timeout=1)


def test_a_removed_client_is_told_why_and_gets_back_in_with_its_old_token(
    meet: Meet, door: livekit.LiveKitServer, server: Any, rtc: Callable[..., RtcClient]
) -> None:
    alice = meet("alice")
    token = alice.latest_token
    livekit.remove_participant(door, room=ROOM, identity="alice")
    assert alice.wait_for("disconnected", timeout=5)["reason"] == "PARTICIPANT_REMOVED"
    assert rtc(server.url, token, name="alice again").connect()
