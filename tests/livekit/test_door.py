"""The door to LiveKit under faults: two errors, always in time, and never a secret in them."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator

import pytest
from livekit.protocol.models import ParticipantPermission

from fluxer import livekit as door
from fluxer.livekit import loop
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_faults import API, HEALTH
from tests.livekit.fake_wire import PREFIX, ApiCall

ROOM = "guild_1_channel_2"


@pytest.fixture
def server(livekit: FakeLiveKit) -> door.LiveKitServer:
    return door.LiveKitServer(livekit.api_url, livekit.key, livekit.secret)


@pytest.fixture
def outcomes() -> Iterator[list[tuple[str, str]]]:
    """The method and outcome of every call."""
    seen: list[tuple[str, str]] = []

    def observe(method: str, outcome: str, _seconds: float) -> None:
        seen.append((method, outcome))

    door.observers.append(observe)
    yield seen
    door.observers.remove(observe)


def make_room(server: door.LiveKitServer) -> None:
    door.create_room(server, name=ROOM, empty_timeout=60, departure_timeout=60)


def failure(server: door.LiveKitServer, timeout: float = 1) -> door.LiveKitUnavailable:
    with pytest.raises(door.LiveKitUnavailable) as caught:
        door.list_rooms(server, timeout=timeout)
    return caught.value


# what it asks


def test_each_call_asks_for_its_own_right_and_no_more(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    make_room(server)
    livekit.join(livekit.token(ROOM, "alice"))
    door.list_rooms(server)
    door.list_participants(server, room=ROOM)
    door.update_participant(server, room=ROOM, identity="alice", permission=ParticipantPermission())
    door.remove_participant(server, room=ROOM, identity="alice")
    door.delete_room(server, room=ROOM)
    admin = {"roomAdmin": True, "room": ROOM}
    create, list_ = {"roomCreate": True}, {"roomList": True}
    assert [c["video"] for c in livekit.claims] == [create, list_, admin, admin, admin, create]


def test_our_own_tokens_live_a_minute(livekit: FakeLiveKit, server: door.LiveKitServer) -> None:
    door.list_rooms(server)
    [claims] = livekit.claims
    assert claims["exp"] - claims["nbf"] == 60


def test_the_default_deadline_is_the_configured_one(
    livekit: FakeLiveKit, server: door.LiveKitServer, settings_timeout: Callable[[float], None]
) -> None:
    settings_timeout(0.1)
    with livekit.fault("hang"), pytest.raises(door.LiveKitUnavailable, match=r"0\.1 s"):
        door.list_rooms(server)


@pytest.fixture
def settings_timeout(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    from django.conf import settings

    return lambda seconds: monkeypatch.setattr(settings, "LIVEKIT_TIMEOUT", seconds)


# how it fails


@pytest.mark.parametrize("kind", ["break", "error", "plain_500", "garbage", "page", "redirect"])
def test_whatever_is_no_answer_is_unavailable(
    livekit: FakeLiveKit, server: door.LiveKitServer, kind: str
) -> None:
    with livekit.fault(kind, method=API):  # type: ignore[arg-type]
        assert not failure(server).timed_out
    assert door.list_rooms(server) == []


@pytest.mark.parametrize("code", ["internal", "unavailable", "bad_route", "unauthenticated"])
def test_only_not_found_is_gone(
    livekit: FakeLiveKit, server: door.LiveKitServer, code: str
) -> None:
    with livekit.fault("error", code=code):
        assert code in str(failure(server))
    with livekit.fault("error", code="not_found"), pytest.raises(door.LiveKitGone):
        door.remove_participant(server, room=ROOM, identity="alice")


def test_an_empty_answer_that_is_no_protobuf_is_not_an_empty_room(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    with livekit.fault("page"), pytest.raises(door.LiveKitUnavailable):
        door.list_participants(server, room=ROOM)


def test_an_empty_message_is_not_a_room_made(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    with livekit.fault("empty"), pytest.raises(door.LiveKitUnavailable, match="another room"):
        make_room(server)


def test_redirects_are_not_followed(
    livekit: FakeLiveKit,
    server: door.LiveKitServer,
    fake_livekit: Callable[..., FakeLiveKit],
) -> None:
    thief = fake_livekit(key=livekit.key, secret=livekit.secret)
    livekit.fault("redirect", method=API, location=f"{thief.api_url}{PREFIX}ListRooms")
    livekit.fault("redirect", method=HEALTH, location=f"{thief.api_url}/")
    assert "307" in str(failure(server))
    assert probe(server.api_url, timeout=1).ok  # it did answer
    assert (thief.calls, thief.probes) == ([], 0)


def test_a_server_that_is_not_there_is_unavailable_at_once(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    door.list_rooms(server)
    livekit.refuse()
    began = time.monotonic()
    assert not failure(server).timed_out
    assert time.monotonic() - began < 2
    livekit.accept()
    assert door.list_rooms(server) == []


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://127.0.0.1:99999", "ftp://x.test"])
def test_an_address_that_is_none_is_unavailable(url: str) -> None:
    assert not failure(door.LiveKitServer(url, "key", "s" * 32)).timed_out
    assert not probe(url, timeout=1).ok


def test_a_server_that_hangs_is_given_up_in_time(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    began = time.monotonic()
    with livekit.fault("hang"):
        assert failure(server, timeout=0.2).timed_out
    assert time.monotonic() - began < 2


def test_a_server_that_hangs_holds_up_no_other(
    server: door.LiveKitServer, livekit: FakeLiveKit, fake_livekit: Callable[..., FakeLiveKit]
) -> None:
    other = fake_livekit()
    elsewhere = door.LiveKitServer(other.api_url, other.key, other.secret)
    with livekit.fault("hang"):
        calls = [door.list_rooms.later(server, timeout=3) for _ in range(200)]
        waiting = threading.Thread(target=door.together, args=(calls,), kwargs={"limit": 200})
        waiting.start()
        time.sleep(0.1)
        began = time.monotonic()
        assert door.list_rooms(elsewhere) == []
        assert time.monotonic() - began < 2
        waiting.join()


# many at once


def test_together_gives_each_its_own_outcome(
    livekit: FakeLiveKit, server: door.LiveKitServer, outcomes: list[tuple[str, str]]
) -> None:
    make_room(server)
    for number in range(50):
        livekit.join(livekit.token(ROOM, f"user_{number}"))
    livekit.fault("error", method="RemoveParticipant", identity="user_7", times=1)
    removals = [
        door.remove_participant.later(server, room=ROOM, identity=f"user_{number}")
        for number in (*range(50), 404)
    ]
    with livekit.calls_during() as calls:
        results = door.together(removals)
    assert isinstance(results[7], door.LiveKitUnavailable)
    assert isinstance(results[50], door.LiveKitGone)
    assert [r for r in results if r is not None] == [results[7], results[50]]
    assert livekit.identities(ROOM) == {"user_7"}
    assert ApiCall("RemoveParticipant", ROOM, "user_49") in calls
    assert outcomes.count(("RemoveParticipant", "ok")) == 49
    assert ("RemoveParticipant", "gone") in outcomes
    assert door.together([]) == []


def test_together_takes_no_longer_than_it_may(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    calls = [door.list_rooms.later(server, timeout=30) for _ in range(9)]
    with livekit.fault("hang"), livekit.calls_during() as made:
        results = door.together(calls, limit=3, within=0.5)
    assert len(made) == 3
    assert all(isinstance(r, door.LiveKitUnavailable) and r.timed_out for r in results)


def test_a_thousand_calls_from_many_threads(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    def ask() -> None:
        for _ in range(50):
            door.list_rooms(server)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    with livekit.calls_during() as calls:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(calls) == 1000


def test_an_observer_that_fails_fails_no_call(server: door.LiveKitServer) -> None:
    def broken(method: str, outcome: str, seconds: float) -> None:
        raise RuntimeError

    door.observers.append(broken)
    try:
        assert door.list_rooms(server) == []
    finally:
        door.observers.remove(broken)


# probes


def probe(url: str, *, timeout: float) -> door.ProbeResult:
    return door.probe_all([url], timeout=timeout)[url]


def test_probes_run_all_at_once(fake_livekit: Callable[..., FakeLiveKit]) -> None:
    fakes = [fake_livekit() for _ in range(5)]
    for fake in fakes[:4]:
        fake.fault("hang", method=HEALTH)
    began = time.monotonic()
    results = door.probe_all([fake.api_url for fake in fakes], timeout=1)
    assert time.monotonic() - began < 2.5
    assert [results[fake.api_url].ok for fake in fakes] == [False] * 4 + [True]


def test_a_server_that_fails_its_api_still_answers_a_probe(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    with livekit.fault("error", method=API):
        failure(server)
        assert probe(livekit.api_url, timeout=1).ok


@pytest.mark.parametrize("kind", ["break", "plain_500", "hang"])
def test_what_makes_a_probe_fail(livekit: FakeLiveKit, kind: str) -> None:
    with livekit.fault(kind, method=HEALTH):  # type: ignore[arg-type]
        result = probe(livekit.api_url, timeout=0.2)
    assert not result.ok
    assert result.error is not None


# secrets


def test_no_error_tells_a_secret_or_a_token(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    wrong = door.LiveKitServer(server.api_url, server.api_key, "w" * 40)
    errors = [failure(wrong)]
    for kind in ("break", "error", "garbage", "hang", "redirect"):
        with livekit.fault(kind):
            errors.append(failure(server, timeout=0.1))
    for error in errors:
        told = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__)
        assert server.api_secret not in told
        assert wrong.api_secret not in told
        assert "eyJ" not in told  # how a token begins
        assert error.__context__ is None
    assert server.api_secret not in repr(server)


# forks


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_opens_its_own_door(
    livekit: FakeLiveKit, server: door.LiveKitServer
) -> None:
    make_room(server)
    before = loop.loop_thread()
    child = os.fork()
    if child == 0:
        fine = False
        try:
            fine = len(door.list_rooms(server, timeout=2)) == 1 and loop.loop_thread() is not before
        finally:
            os._exit(0 if fine else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert loop.loop_thread() is before
    assert len(door.list_rooms(server, timeout=2)) == 1


def test_a_closed_door_opens_again(server: door.LiveKitServer) -> None:
    door.list_rooms(server)
    loop.close()
    assert door.list_rooms(server) == []
