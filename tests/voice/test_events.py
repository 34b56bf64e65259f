"""The stream: one entry for each visible change, after commit and never before."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from fluxer.directory.models import Channel
from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device, connection_of, error
from tests.voice.orders import BackEnd
from tests.voice.scene import ALICE, BOB, GUILD, OTHER_VOICE, VOICE, Caller, seat
from voice import events
from voice.models import EndReason, VoiceState
from voice.states import endings

pytestmark = pytest.mark.django_db(transaction=True)


class Stream:
    """What was published since the test began."""

    def __init__(self) -> None:
        self._redis: Any = redis.Redis.from_url(settings.REDIS_URL, decode_responses=True)
        self._redis.delete(events.STREAM)

    def entries(self) -> list[dict[str, Any]]:
        found = [fields for _, fields in self._redis.xrange(events.STREAM)]
        return [{**fields, "data": json.loads(fields["data"])} for fields in found]

    def states(self) -> list[dict[str, Any]]:
        return [e["data"] for e in self.entries() if e["type"] == "VOICE_STATE_UPDATE"]

    def close(self) -> None:
        self._redis.close()


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    monkeypatch.setattr(events, "_quiet_until", 0.0)
    stream = Stream()
    yield stream
    stream.close()


@pytest.fixture
def bob(stage: None) -> Device:
    return Device(BOB)


def test_an_entry_has_the_shape_that_is_promised(stream: Stream, bob: Device):
    state = bob.be(VOICE)

    [entry] = stream.entries()
    assert set(entry) == {"type", "at", "guild_id", "channel_id", "user_id", "data"}
    assert entry["type"] == "VOICE_STATE_UPDATE"
    assert (entry["guild_id"], entry["channel_id"], entry["user_id"]) == ("10", "100", "2")
    assert datetime.fromisoformat(entry["at"]).utcoffset() is not None
    assert entry["data"] == state


def test_each_visible_change_is_one_entry(stream: Stream, west: FakeLiveKit, bob: Device):
    bob.be(VOICE)
    grant = bob.token()
    inside = west.join(grant["token"])
    bob.set(self_mute=True, self_deaf=True)
    bob.set(self_mute=True)
    bob.be(VOICE)
    inside.leave()
    west.join(grant["token"])
    bob.be(None)
    bob.be(None)

    states = stream.states()
    assert [state["version"] for state in states] == [1, 2, 3, 4, 5, 6]
    channels = [state["channel_id"] for state in states]
    assert channels == ["100", "100", "100", None, "100", None]


def test_a_move_is_an_end_a_beginning_and_a_word_to_the_client(
    stream: Stream, west: FakeLiveKit, bob: Device
):
    old = connection_of(bob.enter(west))
    before = len(stream.entries())
    moved = bob.be(OTHER_VOICE, self_mute=True)

    end, begin, server = stream.entries()[before:]
    assert (end["data"]["connection_id"], end["data"]["channel_id"]) == (old, None)
    assert begin["data"] == moved
    assert (server["type"], server["channel_id"]) == ("VOICE_SERVER_UPDATE", "104")
    assert server["data"] == {
        "connection_id": moved["connection_id"],
        "channel_id": "104",
        "reason": "moved",
    }


@pytest.mark.parametrize(
    "change",
    [{"rtc_region": "us-west"}, {"name": "Lounge"}, {"user_limit": 3}, {"bitrate": 9000}],
    ids=lambda change: next(iter(change)),
)
def test_a_channel_that_the_back_end_changes_is_told_once(
    stream: Stream, west: FakeLiveKit, change: dict[str, Any]
):
    back_end = BackEnd()
    back_end.do("PATCH", f"/channels/{VOICE}", change)
    back_end.do("PATCH", f"/channels/{VOICE}", change)
    back_end.do("PATCH", f"/channels/{VOICE}", {"overwrites": [{"id": "10", "type": 0}]})

    [entry] = stream.entries()
    assert (entry["type"], entry["guild_id"], entry["channel_id"]) == (
        "CHANNEL_UPDATE",
        "10",
        "100",
    )
    assert entry["data"] == Caller(ALICE).get(f"/channels/{VOICE}").json()
    assert entry["data"].items() >= change.items()


def test_every_end_is_told_with_its_version(stream: Stream, west: FakeLiveKit, bob: Device):
    bob.enter(west).leave("CONNECTION_TIMEOUT")

    last = stream.states()[-1]
    assert (last["channel_id"], last["joined_at"], last["version"]) == (None, None, 3)


def test_a_refused_change_is_not_told(stream: Stream, west: FakeLiveKit, bob: Device):
    bob.enter(west)
    Channel.objects.filter(pk=OTHER_VOICE).update(user_limit=1)
    seat(ALICE, OTHER_VOICE)
    before = stream.entries()

    assert error(bob.change(channel_id=OTHER_VOICE))[0] == 400

    assert stream.entries() == before


def change() -> None:
    events.channel_changed(guild_id=GUILD, channel_id=VOICE, data={})


@transaction.atomic
def change_and_fail() -> None:
    change()
    raise ZeroDivisionError


def test_nothing_is_told_before_the_commit(stream: Stream):
    with transaction.atomic():
        change()
        assert stream.entries() == []
    assert len(stream.entries()) == 1


def test_nothing_is_told_of_what_is_rolled_back(stream: Stream):
    with pytest.raises(ZeroDivisionError):
        change_and_fail()

    assert stream.entries() == []


@pytest.mark.parametrize("first", [False, True])
def test_a_savepoint_takes_its_events_along(stream: Stream, first: bool):
    with transaction.atomic():
        if first:
            change()
        with pytest.raises(ZeroDivisionError):
            change_and_fail()
        with transaction.atomic():
            change()

    assert len(stream.entries()) == 1 + first


def test_the_events_of_a_transaction_are_one_write(
    stream: Stream, stage: None, monkeypatch: pytest.MonkeyPatch
):
    writes: list[int] = []
    publish = events._publish

    def counted(found: list[events.Event]) -> None:
        writes.append(len(found))
        publish(found)

    monkeypatch.setattr(events, "_publish", counted)
    for n in range(3):
        seat(BOB, session=f"device{n}")
    with transaction.atomic():
        states = list(VoiceState.objects.all())
        room = f"guild_{GUILD}_channel_{VOICE}"
        endings.end(states, room=room, reason=EndReason.LEFT, now=timezone.now())

    assert writes == [3]


@pytest.fixture
def hanging() -> Iterator[str]:
    """Something that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize("how", ["refused", "hanging"])
def test_redis_away_costs_a_short_deadline_once_and_nothing_fails(
    stage: None,
    how: str,
    hanging: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(events, "_quiet_until", 0.0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0" if how == "refused" else hanging
    bob = Device(BOB)

    began = time.monotonic()
    assert bob.be(VOICE)["version"] == 1
    first = time.monotonic() - began
    began = time.monotonic()
    assert bob.set(self_mute=True)["version"] == 2
    second = time.monotonic() - began

    assert first < 1.5
    assert second < 0.4, "after a failure nothing is tried for a while"
    assert "events lost" in caplog.text


def test_the_stream_does_not_grow_for_ever(stream: Stream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events, "LENGTH", 100)
    for _ in range(400):
        change()

    assert len(stream.entries()) < 300


def test_a_lapsed_seat_is_told(stream: Stream, stage: None, later: Callable[[float], None]):
    Device(BOB).be(VOICE)
    later(61)
    endings.lapse(channel_id=VOICE)

    assert [state["channel_id"] for state in stream.states()] == ["100", None]
