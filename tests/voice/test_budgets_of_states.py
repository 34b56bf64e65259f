"""What a change of one's state costs, and a webhook: statements, and never a LiveKit call."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device
from tests.voice.scene import ALICE, BOB, OTHER_VOICE, VOICE
from voice.models import VoiceState

# BEGIN and COMMIT included. The caller, the member, then in the transaction: the states, the
# lock, the states again, and what is written.
FLAGS = 8
NO_CHANGE = 7
JOIN = 9  # the look, the seat
MOVE = 13  # the look, the end in three, the seat, the room that is due
LEAVE = 13  # who is away, in two; the end in three, the room that is due
# The server, BEGIN, the lock, the state, COMMIT.
JOINED = 7  # the look, the state
AGAIN = 5
LEFT = 8  # the end in three
LAST = 1  # and the pin's time

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob(west: FakeLiveKit) -> Device:
    """With alice in the room already; the first webhook in ten seconds has been noted."""
    Device(ALICE).enter(west)
    return Device(BOB, sid="phone")


@pytest.fixture
def cost(west: FakeLiveKit) -> Callable[[Callable[[], Any]], list[str]]:
    """The statements of one request, which asks LiveKit nothing."""

    def count(act: Callable[[], Any]) -> list[str]:
        with west.calls_during() as calls, CaptureQueriesContext(connection) as captured:
            act()
        assert calls == []
        return [query["sql"] for query in captured]

    return count


def test_a_join(bob: Device, cost: Any):
    sql = cost(lambda: bob.be(VOICE))

    assert len(sql) <= JOIN, sql


def test_flags(west: FakeLiveKit, bob: Device, cost: Any):
    bob.enter(west)

    sql = cost(lambda: bob.set(self_mute=True, self_deaf=True))
    assert len(sql) <= FLAGS, sql
    sql = cost(lambda: bob.set(self_mute=True))
    assert len(sql) <= NO_CHANGE, sql


def test_a_move(west: FakeLiveKit, bob: Device, cost: Any):
    Device(ALICE, sid="tv").enter(west, OTHER_VOICE)
    bob.enter(west)

    sql = cost(lambda: bob.be(OTHER_VOICE, self_mute=True))

    assert len(sql) <= MOVE, sql


def test_a_leave(west: FakeLiveKit, bob: Device, cost: Any):
    bob.enter(west)

    sql = cost(lambda: bob.be(None))
    assert len(sql) <= LEAVE, sql
    sql = cost(lambda: Device(ALICE).be(None))
    assert len(sql) <= LEAVE + LAST, sql


def test_the_webhooks_of_a_visit(west: FakeLiveKit, bob: Device, cost: Any):
    token = bob.token()["token"]
    with west.webhooks.held() as held:
        visit = west.join(token)
        visit.leave()
    joined, left = held

    for webhook, budget in ((joined, JOINED), (joined, AGAIN), (left, LEFT)):
        sql = cost(lambda webhook=webhook: west.webhooks.send(webhook))
        assert len(sql) <= budget, sql
    assert VoiceState.objects.get().user_id == ALICE


def test_nothing_grows_with_the_room(west: FakeLiveKit, bob: Device, cost: Any):
    def all_of_it() -> list[int]:
        acts: list[Callable[[], Any]] = [
            lambda: bob.be(VOICE),
            lambda: bob.set(self_mute=True),
            lambda: bob.be(None),
        ]
        return [len(cost(act)) for act in acts]

    few = all_of_it()
    for n in range(20):
        Device(ALICE, sid=f"device{n}").be(OTHER_VOICE)
        Device(ALICE, sid=f"device{n}").be(None)
        bob.be(VOICE)
        bob.be(None)

    assert all_of_it() == few
