"""A real worker: the faster clock. Without it requests answer, and nothing is lost."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pytest_django import Settings

from fluxer.celery import app
from tests.livekit.fake import FakeLiveKit
from tests.voice.orders import BackEnd, enter, moderate
from tests.voice.scene import BOB, GUILD, OTHER_VOICE, VOICE, Caller
from tests.voice.workers import Workers, broker
from voice import queue
from voice.models import DueRoom, RoomPin, VoiceState

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

QUICK = 0.5  # seconds


@pytest.fixture
def workers(
    west: FakeLiveKit, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workers]:
    settings.VOICE_PIN_TIMEOUT = 1
    with broker() as client:
        client.flushdb()
    with ExitStack() as stack:
        yield Workers(tmp_path_factory.mktemp("workers"), stack)


def soon(true: Callable[[], Any], within: float) -> float:
    """The seconds until it was true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, f"not so within {within:g} s"
        time.sleep(0.02)
    return time.monotonic() - began


def quickly(act: Callable[[], Any]) -> None:
    began = time.monotonic()
    response = act()
    assert response.status_code < 300, response.content
    assert time.monotonic() - began < QUICK


def test_the_worker_follows_within_a_second(
    west: FakeLiveKit, workers: Workers, moira: Caller, bob: Caller, alice: Caller
):
    workers.start()
    kicked, silenced = enter(west, bob), enter(west, alice)
    silenced.publish()

    moderate(moira, BOB, channel_id=None)
    print(f"out {soon(lambda: not kicked.inside, 1):.3f} s after the kick")

    BackEnd().do("PATCH", f"/guilds/{GUILD}/members/1", {"mute": True})
    print(f"silent {soon(lambda: not silenced.published, 1):.3f} s after the mute")

    people = [silenced, enter(west, bob), enter(west, moira)]
    alice.patch(f"/channels/{VOICE}", {"rtc_region": "us-west"})
    soon(lambda: not any(one.inside for one in people), 1)

    enter(west, bob, OTHER_VOICE).leave()
    assert RoomPin.objects.get().expires_at is not None
    soon(lambda: not RoomPin.objects.exists(), 3)


def test_without_worker_and_broker_nothing_is_lost(
    west: FakeLiveKit, workers: Workers, moira: Caller, bob: Caller, alice: Caller
):
    kicked, moved, left = enter(west, bob), enter(west, alice), enter(west, moira, OTHER_VOICE)
    quickly(lambda: moderate(moira, BOB, channel_id=None))
    quickly(lambda: moderate(alice, "@me", channel_id=str(OTHER_VOICE)))
    silence = {"overwrites": [{"id": str(GUILD), "type": 0, "deny": str(1 << 21)}]}
    quickly(lambda: BackEnd().ask("PATCH", f"/channels/{OTHER_VOICE}", silence))
    with broker() as client:
        client.flushdb()
    assert kicked.inside
    assert moved.inside

    workers.start()
    workers.beat()

    soon(lambda: not kicked.inside and not moved.inside, 10)
    soon(lambda: 2 not in left.info.permission.can_publish_sources, 5)
    left.leave()
    VoiceState.objects.all().delete()
    soon(lambda: not RoomPin.objects.exists(), 10)
    soon(lambda: not DueRoom.objects.exists(), 10)


@pytest.fixture
def silent_broker() -> Iterator[str]:
    """It takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture
def closed_broker() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"redis://127.0.0.1:{port}/0"


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_broker_that_is_away_holds_up_nobody(
    west: FakeLiveKit,
    moira: Caller,
    bob: Caller,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    kind: str,
):
    monkeypatch.setattr(app.conf, "broker_url", request.getfixturevalue(f"{kind}_broker"))
    monkeypatch.setattr(app.conf, "broker_write_url", None)
    monkeypatch.setattr(queue, "_quiet_until", 0.0)
    participant = enter(west, bob)

    began = time.monotonic()
    for mute in (True, False) * 5:
        assert moderate(moira, BOB, mute=mute).status_code == 200
    assert moderate(moira, BOB, channel_id=None).status_code == 200
    seconds = time.monotonic() - began

    assert seconds < 5, "half a second once, not for each of eleven"
    assert queue._quiet_until > 0
    assert DueRoom.objects.count() == 1
    assert participant.inside
