"""The fake does what a real server does: the same assertions, held against both."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from livekit.protocol.models import (
    DisconnectReason,
    ParticipantInfo,
    ParticipantPermission,
    TrackInfo,
    TrackSource,
    TrackType,
)
from livekit.protocol.webhook import WebhookEvent

from fluxer import livekit
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import JoinRefused, PublishRefused
from tests.livekit.rtc import RtcClient, RtcError
from tests.livekit.tokens import make_token

pytestmark = pytest.mark.slow

ALL = ParticipantPermission(can_subscribe=True, can_publish=True, can_publish_data=True)
NO_MICROPHONE = ParticipantPermission(
    can_subscribe=True, can_publish=True, can_publish_sources=[TrackSource.CAMERA]
)


class Stage:
    """A server of either kind, what joins it, and the webhooks that it sends."""

    server: livekit.LiveKitServer
    events: list[WebhookEvent]

    def join(self, token: str) -> Any:
        """Something with `publish_microphone()`, or JoinRefused."""
        raise NotImplementedError

    def heard(self) -> None:
        """All webhooks so far have arrived in `events`."""

    def token(self, room: str, identity: str, **grant: Any) -> str:
        key, secret = self.server.api_key, self.server.api_secret
        return make_token(key=key, secret=secret, room=room, identity=identity, **grant)

    def make(self, room: str) -> Any:
        return livekit.create_room(self.server, name=room, empty_timeout=60, departure_timeout=60)

    def people(self, room: str) -> dict[str, ParticipantInfo]:
        listed = livekit.list_participants(self.server, room=room)
        return {info.identity: info for info in listed}

    def published(self, room: str, identity: str) -> TrackInfo:
        """Their one track: a real server lists it when its first packet has come."""
        end = time.monotonic() + 5
        while not (tracks := self.people(room)[identity].tracks) and time.monotonic() < end:
            time.sleep(0.02)
        [track] = tracks
        return track

    def told(self, room: str) -> list[str]:
        """The names of the events of a room, in order."""
        self.heard()
        return [event.event for event in self.events if event.room.name == room]

    def event(self, room: str, name: str) -> WebhookEvent:
        self.heard()
        return next(e for e in self.events if e.room.name == room and e.event == name)

    def receive(self, body: bytes, headers: dict[str, str]) -> int:
        key, secret = self.server.api_key, self.server.api_secret
        event = livekit.verify_webhook(
            body=body, authorization=headers["Authorization"], key=key, secret=secret
        )
        self.events.append(event)
        return 200


class Fake(Stage):
    def __init__(self, fake: FakeLiveKit) -> None:
        self.fake, self.events = fake, []
        self.server = livekit.LiveKitServer(fake.api_url, fake.key, fake.secret)
        fake.webhooks.to(self.receive)

    def join(self, token: str) -> Any:
        participant = self.fake.join(token)
        participant.publish_microphone = lambda **_: participant.publish()  # type: ignore[attr-defined]
        return participant

    def heard(self) -> None:
        self.fake.webhooks.deliver()


class Real(Stage):
    def __init__(self, start: Callable[..., Any]) -> None:
        self.events = []
        self._listener = _listener(self)
        self.real = start(f"http://127.0.0.1:{self._listener.server_port}/")
        real = self.real
        self.server = livekit.LiveKitServer(real.api_url, real.key, real.secret)
        self.clients: list[RtcClient] = []

    def join(self, token: str) -> Any:
        client = RtcClient(self.real.url, token)
        self.clients.append(client)
        try:
            client.connect(timeout=5)
        except RtcError as error:
            raise JoinRefused(0, str(error)) from error
        return client

    def heard(self) -> None:
        time.sleep(0.4)

    def leave(self) -> None:
        while self.clients:
            self.clients.pop().close()

    def close(self) -> None:
        self.real.stop()
        self._listener.shutdown()
        self._listener.server_close()


def _listener(stage: Stage) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(stage.receive(body, dict(self.headers)))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def real(livekit_servers: Callable[..., Any]) -> Iterator[Real]:
    real = Real(livekit_servers)
    yield real
    real.close()


@pytest.fixture(params=["fake", "real"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "fake":
        yield Fake(request.getfixturevalue("livekit"))
    else:
        real: Real = request.getfixturevalue("real")
        yield real
        real.leave()


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room name of this test's own."""
    return f"guild_1_channel_{zlib.crc32(request.node.nodeid.encode())}"


def test_a_room_made_twice_is_one_room_unchanged(stage: Stage, room: str) -> None:
    first = stage.make(room)
    again = livekit.create_room(stage.server, name=room, empty_timeout=7, departure_timeout=7)
    assert (again.sid, again.empty_timeout) == (first.sid, 60)
    assert stage.told(room) == ["room_started"]


def test_a_room_is_found_by_its_name(stage: Stage, room: str) -> None:
    stage.make(room)
    assert [r.name for r in livekit.list_rooms(stage.server, names=[room, "dm_404"])] == [room]
    assert room in {r.name for r in livekit.list_rooms(stage.server)}


def test_nobody_is_in_a_room_that_does_not_exist(stage: Stage) -> None:
    assert livekit.list_participants(stage.server, room="dm_404") == []


def test_what_does_not_exist_is_gone(stage: Stage, room: str) -> None:
    stage.make(room)
    for name in (room, "dm_404"):
        with pytest.raises(livekit.LiveKitGone):
            livekit.remove_participant(stage.server, room=name, identity="alice")
        with pytest.raises(livekit.LiveKitGone):
            livekit.update_participant(stage.server, room=name, identity="alice", permission=ALL)
    with pytest.raises(livekit.LiveKitGone):
        livekit.delete_room(stage.server, room="dm_404")


def test_another_secret_is_refused(stage: Stage) -> None:
    server = livekit.LiveKitServer(stage.server.api_url, stage.server.api_key, "x" * 32)
    with pytest.raises(livekit.LiveKitUnavailable, match="401"):
        livekit.list_rooms(server)


def test_it_answers_a_probe(stage: Stage) -> None:
    assert livekit.probe_all([stage.server.api_url], timeout=2)[stage.server.api_url].ok


def test_nobody_joins_a_room_that_nobody_made(stage: Stage) -> None:
    with pytest.raises(JoinRefused):
        stage.join(stage.token("dm_404", "alice"))


@pytest.mark.parametrize(
    "wrong",
    [{"ttl": -120}, {"metadata": {"user_id": "1"}}, {"roomJoin": False}, {"room": ""}],
    ids=["long expired", "metadata that is an object", "no right to join", "no room"],
)
def test_a_bad_token_does_not_join(stage: Stage, room: str, wrong: dict[str, Any]) -> None:
    stage.make(room)
    with pytest.raises(JoinRefused):
        stage.join(stage.token(**{"room": room, "identity": "alice", **wrong}))


def test_a_token_that_has_just_expired_joins(stage: Stage, room: str) -> None:
    stage.make(room)
    stage.join(stage.token(room, "alice", ttl=-30, metadata="{}"))
    assert set(stage.people(room)) == {"alice"}


def test_a_participant_is_shown_as_the_token_says(stage: Stage, room: str) -> None:
    made = stage.make(room)
    stage.join(stage.token(room, "alice", canPublishSources=["camera"], canPublishData=True))
    shown = stage.people(room)["alice"]
    assert shown.state == ParticipantInfo.State.ACTIVE
    assert shown.sid.startswith("PA_")
    assert shown.joined_at_ms // 1000 == shown.joined_at
    permission = ParticipantPermission(
        can_subscribe=True,
        can_publish=True,
        can_publish_data=True,
        can_publish_sources=[TrackSource.CAMERA],
    )
    assert shown.permission == permission
    joined = stage.event(room, "participant_joined")
    assert joined.participant.sid == shown.sid
    assert joined.participant.joined_at_ms == shown.joined_at_ms
    assert joined.participant.permission == permission
    assert joined.room.sid == made.sid


def test_without_sources_everything_may_be_published(stage: Stage, room: str) -> None:
    stage.make(room)
    stage.join(stage.token(room, "alice")).publish_microphone()
    track = stage.published(room, "alice")
    assert (track.source, track.type) == (TrackSource.MICROPHONE, TrackType.AUDIO)
    published = stage.event(room, "track_published")
    assert published.track.sid == track.sid
    assert published.participant == ParticipantInfo(
        sid=stage.people(room)["alice"].sid, identity="alice"
    )


def test_a_permission_replaces_the_whole_old_one(stage: Stage, room: str) -> None:
    stage.make(room)
    alice = stage.join(stage.token(room, "alice"))
    alice.publish_microphone()
    stage.published(room, "alice")
    livekit.update_participant(stage.server, room=room, identity="alice", permission=NO_MICROPHONE)
    stage.heard()
    shown = stage.people(room)["alice"]
    assert shown.permission == NO_MICROPHONE
    assert not shown.tracks
    assert stage.told(room)[-1] == "track_unpublished"
    with pytest.raises((PublishRefused, RtcError)):
        alice.publish_microphone(timeout=1)


def test_whoever_is_removed_gets_in_again_with_the_old_token(stage: Stage, room: str) -> None:
    stage.make(room)
    token = stage.token(room, "alice")
    stage.join(token).publish_microphone()
    stage.published(room, "alice")
    first = stage.people(room)["alice"]
    livekit.remove_participant(stage.server, room=room, identity="alice")
    assert stage.people(room) == {}
    left = stage.event(room, "participant_left").participant
    assert (left.sid, left.disconnect_reason) == (first.sid, DisconnectReason.PARTICIPANT_REMOVED)
    assert left.state == ParticipantInfo.State.DISCONNECTED
    stage.join(token)
    second = stage.people(room)["alice"]
    assert second.sid != first.sid
    assert second.joined_at_ms > first.joined_at_ms
    assert stage.told(room) == [
        "room_started",
        "participant_joined",
        "track_published",
        "track_unpublished",
        "participant_left",
        "participant_joined",
    ]


def test_the_same_identity_evicts_the_older_one(stage: Stage, room: str) -> None:
    stage.make(room)
    token = stage.token(room, "alice")
    stage.join(token)
    first = stage.people(room)["alice"].sid
    stage.join(token)
    left = stage.event(room, "participant_left").participant
    assert (left.sid, left.disconnect_reason) == (first, DisconnectReason.DUPLICATE_IDENTITY)
    assert stage.people(room)["alice"].sid != first


def test_hidden_participants_are_told_of(stage: Stage, room: str) -> None:
    stage.make(room)
    stage.join(stage.token(room, "lurker", hidden=True))
    assert stage.people(room)["lurker"].permission.hidden
    assert stage.event(room, "participant_joined").participant.permission.hidden


def test_a_room_that_is_deleted_takes_everybody_along(stage: Stage, room: str) -> None:
    made = stage.make(room)
    token = stage.token(room, "alice")
    stage.join(token)
    livekit.delete_room(stage.server, room=room)
    left = stage.event(room, "participant_left").participant
    assert left.disconnect_reason == DisconnectReason.ROOM_DELETED
    assert stage.event(room, "room_finished").room.sid == made.sid
    with pytest.raises(JoinRefused):
        stage.join(token)
    assert stage.make(room).sid != made.sid
