"""Leaves that meet joins, returns and the pin's time: with the guard, and without it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest

from fluxer.directory.models import Channel
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.livekit.signed import Webhook
from tests.voice.devices import Device, connection_of
from tests.voice.races import Rival, at_once
from tests.voice.scene import ALICE, BOB, GUILD, OTHER_VOICE, VOICE
from voice import due, leaving, pins
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState
from voice.settlement import settle_room
from voice.states import lookup, returns, visits

ROOM = f"guild_{GUILD}_channel_{VOICE}"

pytestmark = pytest.mark.django_db(transaction=True)


def unlocked(channel_ids: Iterable[int]) -> list[Channel]:
    return list(Channel.objects.filter(pk__in=set(channel_ids)).order_by("pk"))


def let_in(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, rival: Rival) -> None:
    """The rival begins in the middle of the decision."""
    plain = getattr(module, name)

    def slowly(*args: Any, **kwargs: Any) -> Any:
        found = plain(*args, **kwargs)
        rival.let_in()
        return found

    monkeypatch.setattr(module, name, slowly)


def settle(fake: FakeLiveKit) -> None:
    server_id = Server.objects.get(api_key=fake.key).pk
    due.mark((server_id, ROOM))
    settle_room(server_id=server_id, room=ROOM)


def told(fake: FakeLiveKit, act: Callable[[], Any]) -> list[Webhook]:
    """What LiveKit tells of it, not yet sent."""
    with fake.webhooks.held() as held:
        act()
    return held


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_leave_against_a_late_join(
    west: FakeLiveKit, is_guarded: bool, monkeypatch: pytest.MonkeyPatch
):
    """Without the lock the join writes to a state that is no more, and fails."""
    bob = Device(BOB)
    token = bob.token()["token"]
    [joined] = told(west, partial(west.join, token))
    if not is_guarded:
        monkeypatch.setattr(lookup, "lock_channels", unlocked)
    rival = Rival(lambda: bob.be(None))
    let_in(monkeypatch, visits, "rights_now", rival)

    status = west.webhooks.send(joined)
    rival.finish()

    assert (status == 200) is is_guarded
    assert not VoiceState.objects.exists()
    assert EndedConnection.objects.get().reason == "left"
    settle(west)
    assert west.identities(ROOM) == set()


def test_a_leave_and_a_late_join_in_any_order(west: FakeLiveKit):
    bob = Device(BOB)
    for _ in range(15):
        token = bob.token()["token"]
        [joined] = told(west, partial(west.join, token))

        acts: list[Callable[[], Any]] = [partial(west.webhooks.send, joined), partial(bob.be, None)]
        status, state = at_once(acts)

        assert (status, state["channel_id"]) == (200, None)
        assert not VoiceState.objects.exists()
        assert DueRoom.objects.exists()
        settle(west)
        assert west.identities(ROOM) == set()


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_leave_against_a_return(
    west: FakeLiveKit, is_guarded: bool, monkeypatch: pytest.MonkeyPatch
):
    """Without the lock of the channel that one was lost in, the leave bars what is back already."""
    bob = Device(BOB)
    token = bob.token()["token"]
    west.join(token).leave()
    [joined] = told(west, partial(west.join, token))
    if not is_guarded:
        monkeypatch.setattr(leaving, "away", lambda change: set())
    rival = Rival(lambda: bob.be(None))
    let_in(monkeypatch, returns, "rights_now", rival)

    assert west.webhooks.send(joined) == 200
    rival.finish()

    assert VoiceState.objects.exists() is not is_guarded


def test_a_return_against_its_session_that_joins_elsewhere(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch
):
    """Under the locks of two channels: the constraint is the last word."""
    phone = Device(BOB, sid="phone")
    token = phone.token()["token"]
    west.join(token).leave()
    [joined] = told(west, partial(west.join, token))
    rival = Rival(lambda: phone.be(OTHER_VOICE))
    let_in(monkeypatch, returns, "_has_gone_on", rival)

    assert west.webhooks.send(joined) == 200
    rival.finish()

    assert VoiceState.objects.get().channel_id == OTHER_VOICE
    assert EndedConnection.objects.get().may_return_until is None
    settle(west)
    assert west.identities(ROOM) == set()


def test_a_return_and_its_session_elsewhere_in_any_order(west: FakeLiveKit):
    for _ in range(10):
        phone = Device(BOB, sid="phone")
        token = phone.token()["token"]
        west.join(token).leave()
        [joined] = told(west, partial(west.join, token))

        acts: list[Callable[[], Any]] = [
            partial(west.webhooks.send, joined),
            partial(phone.be, OTHER_VOICE),
        ]
        status, _ = at_once(acts)

        assert status == 200
        assert VoiceState.objects.get().channel_id == OTHER_VOICE
        settle(west)
        assert west.identities(ROOM) == set()
        phone.be(None)


def test_the_same_join_told_three_times_at_once_is_one(west: FakeLiveKit):
    bob = Device(BOB)
    for _ in range(8):
        token = bob.token()["token"]
        [joined] = told(west, partial(west.join, token))

        assert at_once([partial(west.webhooks.send, joined)] * 3) == [200] * 3

        state = VoiceState.objects.get()
        assert (state.version, state.joined_at is None) == (2, False)
        bob.be(None)


def pin_is_right() -> None:
    """I1 and I5: whoever is on a server has the pin there; a pin without people has its time."""
    pin = RoomPin.objects.filter(channel=VOICE).first()
    states = list(VoiceState.objects.filter(channel=VOICE))
    placed = {state.server_id for state in states if state.server_id is not None}
    assert len(placed) <= 1
    if placed:
        assert pin is not None
        assert {pin.server_id} == placed
    if pin is not None:
        assert (pin.expires_at is None) is bool(states)


def test_the_last_leave_against_a_rejoin_against_the_pins_time(west: FakeLiveKit, settings: Any):
    settings.VOICE_PIN_TIMEOUT = 0  # its time has come as soon as it is set
    for turn in range(20):
        alice, bob = Device(ALICE), Device(BOB)
        alice.enter(west)

        acts: list[Callable[[], Any]] = [
            partial(alice.be, None),
            bob.token,
            partial(pins.expire, channel_id=VOICE),
        ]
        at_once(acts[turn % 3 :] + acts[: turn % 3])

        pin_is_right()
        assert VoiceState.objects.filter(user=BOB).exists()
        assert not pins.expire(channel_id=VOICE), "somebody is in"
        bob.be(None)
        settle(west)
        pins.expire(channel_id=VOICE)


def test_the_last_webhook_of_a_leave_against_a_rejoin_and_the_pins_time(
    west: FakeLiveKit, settings: Any
):
    settings.VOICE_PIN_TIMEOUT = 0
    bob = Device(BOB)
    for _ in range(15):
        token = bob.token()["token"]
        visit = west.join(token)
        news = [*told(west, visit.leave), *told(west, partial(west.join, token))]

        tell: list[Callable[[], Any]] = [partial(west.webhooks.send, webhook) for webhook in news]
        tell.append(partial(pins.expire, channel_id=VOICE))
        *statuses, _ = at_once(tell)
        assert statuses == [200, 200]

        pin_is_right()
        assert VoiceState.objects.get().joined_at is not None
        settle(west)
        assert west.identities(ROOM) == {visit.identity}
        bob.be(None)
        settle(west)
        pins.expire(channel_id=VOICE)


def test_a_renewal_against_another_visit_of_the_same(west: FakeLiveKit):
    """Whoever renews while in, and reconnects with it, is never put out by a later settle."""
    bob = Device(BOB)
    visit = bob.enter(west)
    connection_id = connection_of(visit)
    for _ in range(10):
        token = bob.token(connection_id=connection_id)["token"]
        news = told(west, partial(west.join, token))
        tell: list[Callable[[], Any]] = [partial(west.webhooks.send, webhook) for webhook in news]

        tell.append(partial(bob.token, connection_id=connection_id))
        *statuses, renewed = at_once(tell)

        assert set(statuses) == {200}
        assert renewed["connection_id"] == connection_id

        settle(west)
        assert west.identities(ROOM) == {visit.identity}
        state = VoiceState.objects.get()
        assert (state.pk, state.seat_until) == (connection_id, None)
