"""What tests can ask of the fake: who is in, what was told, and what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from fluxer import livekit as door
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_wire import ApiCall

ROOM = "dm_1"


@pytest.fixture
def server(livekit: FakeLiveKit) -> door.LiveKitServer:
    server = door.LiveKitServer(livekit.api_url, livekit.key, livekit.secret)
    door.create_room(server, name=ROOM, empty_timeout=60, departure_timeout=60)
    return server


def told(fake: FakeLiveKit) -> list[str]:
    return [webhook.event.event for webhook in fake.sent]


def test_alice_leaves_aborts_or_vanishes(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    for end in ("leave", "abort", "vanish"):
        alice = livekit.join(livekit.token(ROOM, "alice"))
        getattr(alice, end)()
        assert not alice.inside
    joined = "participant_joined"
    assert told(livekit) == [
        "room_started",
        joined,
        "participant_left",
        joined,
        "participant_connection_aborted",
        joined,
    ]


def test_whoever_never_became_active_never_joined(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    alice = livekit.join(livekit.token(ROOM, "alice"), active=False)
    assert livekit.identities(ROOM) == {"alice"}
    alice.leave()
    assert told(livekit) == ["room_started", "participant_connection_aborted"]


def test_an_old_visit_does_not_end_the_new_one(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    old = livekit.join(livekit.token(ROOM, "alice"))
    new = livekit.join(old.refreshed_token())
    old.leave()
    assert new.inside
    assert old.reason == "DUPLICATE_IDENTITY"


def test_webhooks_on_the_wire(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    livekit.join(livekit.token(ROOM, "alice")).publish("MICROPHONE", "AUDIO")
    published = livekit.sent[-1]
    assert published.headers["Content-Type"] == "application/webhook+json"
    assert b'"source":"MICROPHONE"' in published.body
    assert b'"type"' not in published.body  # AUDIO is zero
    assert b'"joinedAtMs":"' in livekit.sent[-2].body


def test_webhooks_are_delivered_by_whoever_acts(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    bodies: list[bytes] = []

    def take(body: bytes, headers: dict[str, str]) -> int:
        bodies.append(body)
        return 200

    livekit.webhooks.to(take)
    livekit.join(livekit.token(ROOM, "alice"))
    assert len(bodies) == 2
    door.remove_participant(server, room=ROOM, identity="alice")
    assert len(bodies) == 2
    livekit.webhooks.deliver()
    assert len(bodies) == 3


def test_webhooks_dropped_doubled_and_delayed(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    bodies: list[bytes] = []
    livekit.webhooks.deliver()
    livekit.webhooks.to(lambda body, headers: bodies.append(body) or 200)  # type: ignore[func-returns-value]
    livekit.webhooks.drop("participant_joined", times=1)
    livekit.webhooks.double("participant_left", times=1)
    livekit.webhooks.delay(0.1, "participant_joined", times=1)
    livekit.join(livekit.token(ROOM, "alice")).leave()
    assert len(bodies) == 2
    livekit.join(livekit.token(ROOM, "alice"))
    assert len(bodies) == 2
    time.sleep(0.15)
    livekit.webhooks.deliver()
    assert len(bodies) == 3


def test_webhooks_in_any_order(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    with livekit.webhooks.held() as held:
        livekit.join(livekit.token(ROOM, "alice")).leave()
    for webhook in reversed(held):
        livekit.webhooks.send(webhook)
    assert told(livekit)[1:] == ["participant_left", "participant_joined"]


def test_a_webhook_made_by_hand(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    alice = livekit.join(livekit.token(ROOM, "alice"))
    good = livekit.webhook("participant_joined", room=ROOM, participant=alice)
    who = {"key": livekit.key, "secret": livekit.secret}
    event = door.verify_webhook(body=good.body, authorization=good.headers["Authorization"], **who)
    assert event.participant.sid == alice.sid
    old = livekit.webhook("participant_joined", room=ROOM, participant=alice, life=-120)
    with pytest.raises(door.WebhookRejected):
        door.verify_webhook(body=old.body, authorization=old.headers["Authorization"], **who)


def test_webhooks_posted_again_until_they_are_taken(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    answers = [500, 503, 200, 200]
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(answers[len(got) - 1])
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    listener = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=listener.serve_forever, daemon=True).start()
    livekit.webhooks.deliver()
    livekit.webhooks.retry_wait = 0.01
    livekit.webhooks.to_url(f"http://127.0.0.1:{listener.server_port}/")
    livekit.join(livekit.token(ROOM, "alice")).leave()
    assert livekit.webhooks.settled(timeout=5)
    assert [b"participant_joined" in body for body in got] == [True, True, True, False]
    livekit.webhooks.close()
    listener.shutdown()
    listener.server_close()


def test_a_stale_list(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    alice = livekit.join(livekit.token(ROOM, "alice"))
    with livekit.fault("stale"):
        alice.leave()
        assert [p.identity for p in door.list_participants(server, room=ROOM)] == ["alice"]
    assert door.list_participants(server, room=ROOM) == []


def test_done_but_never_answered(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    livekit.join(livekit.token(ROOM, "alice"))
    with (
        livekit.fault("unanswered", identity="alice"),
        pytest.raises(door.LiveKitUnavailable),
    ):
        door.remove_participant(server, room=ROOM, identity="alice", timeout=0.1)
    assert livekit.identities(ROOM) == set()


def test_a_slow_answer(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    began = time.monotonic()
    with livekit.fault("slow", seconds=0.2):
        door.list_rooms(server)
    assert time.monotonic() - began > 0.2


def test_a_restart_forgets_every_room(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    alice = livekit.join(livekit.token(ROOM, "alice"))
    before = told(livekit)
    livekit.restart()
    assert not alice.inside
    assert door.list_rooms(server) == []
    assert told(livekit) == before


def test_calls_are_counted(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    with livekit.calls_during() as calls:
        door.list_rooms(server)
        door.list_participants(server, room=ROOM)
        door.probe_all([livekit.api_url], timeout=1)
    assert calls == [ApiCall("ListRooms", "", ""), ("ListParticipants", ROOM, "")]
    assert livekit.probes == 1


def test_two_fakes_are_two_servers(fake_livekit: Callable[..., FakeLiveKit]) -> None:
    west, east = fake_livekit(), fake_livekit()
    stranger = door.LiveKitServer(west.api_url, east.key, east.secret)
    with pytest.raises(door.LiveKitUnavailable):
        door.list_rooms(stranger)
