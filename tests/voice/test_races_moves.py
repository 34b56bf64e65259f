"""People who move at once: with the lock, and what happens without it."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from fluxer.directory.models import Channel
from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device
from tests.voice.races import Rival, at_once
from tests.voice.scene import ALICE, BOB, MOIRA, OTHER_VOICE, VOICE
from voice import events, presence
from voice.models import EndedConnection, RoomPin, VoiceState

THIRD = 105

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def third(west: FakeLiveKit) -> None:
    """A third voice channel."""
    Channel.objects.create(pk=THIRD, type=2, guild_id=10, name="third")


def unlocked(channel_ids: Iterable[int]) -> list[Channel]:
    return list(Channel.objects.filter(pk__in=set(channel_ids)).order_by("pk"))


def moving(device: Device, channel_id: int) -> Callable[[], Any]:
    return lambda: device.change(channel_id=channel_id).status_code


@pytest.mark.parametrize("sid", [None, "phone"])
@pytest.mark.usefixtures("third")
def test_two_moves_of_one_user_end_as_one_connection(sid: str | None):
    bob = Device(BOB, sid=sid)
    for _ in range(10):
        old = bob.be(VOICE)["connection_id"]
        moves = [moving(Device(BOB, sid=sid), channel) for channel in (OTHER_VOICE, THIRD)]

        assert at_once(moves) == [200, 200]

        state = VoiceState.objects.get()
        assert state.channel_id in (OTHER_VOICE, THIRD)
        assert bob.mine(old).json()["connection_id"] == state.pk


@pytest.mark.usefixtures("third")
def test_a_move_meets_another_in_its_middle(monkeypatch: pytest.MonkeyPatch):
    """The second finds the connection where the first has put it."""
    bob = Device(BOB, sid="phone")
    old = bob.be(VOICE)["connection_id"]
    rival = Rival(moving(Device(BOB, sid="phone"), THIRD))
    planned, lock = presence._planned, presence.lock_channels
    locked: list[set[int]] = []

    def recorded(channel_ids: Iterable[int]) -> list[Channel]:
        locked.append(set(channel_ids))
        return lock(channel_ids)

    def slowly(*args: Any) -> Any:
        found = planned(*args)
        rival.let_in()
        return found

    monkeypatch.setattr(presence, "_planned", slowly)
    monkeypatch.setattr(presence, "lock_channels", recorded)
    assert bob.change(channel_id=OTHER_VOICE).status_code == 200
    assert rival.finish() == 200

    assert locked == [{VOICE, OTHER_VOICE}, {VOICE, THIRD}, {OTHER_VOICE, THIRD}]
    state = VoiceState.objects.get()
    assert state.channel_id == THIRD
    assert bob.mine(old).json()["connection_id"] == state.pk
    assert EndedConnection.objects.count() == 2


@pytest.mark.parametrize("is_sorted", [True, False])
def test_two_that_cross_do_not_wait_for_each_other(
    west: FakeLiveKit, is_sorted: bool, monkeypatch: pytest.MonkeyPatch
):
    """Locked in the order of each one's move instead of by id, they do."""
    alice, bob = Device(ALICE), Device(BOB)
    alice.be(VOICE)
    bob.be(OTHER_VOICE)
    if not is_sorted:
        met, turns, lock = threading.Barrier(2), iter([False, True]), presence.lock_channels

        def as_they_come(channel_ids: Iterable[int]) -> list[Channel]:
            first, second = sorted(set(channel_ids), reverse=next(turns))
            one = lock([first])
            met.wait(5)
            return [*one, *lock([second])]

        monkeypatch.setattr(presence, "lock_channels", as_they_come)

    answers = at_once([moving(alice, OTHER_VOICE), moving(bob, VOICE)])

    assert (sorted(answers) == [200, 200]) is is_sorted
    if not is_sorted:
        assert 503 in answers


def test_many_that_cross_all_arrive(west: FakeLiveKit):
    alice, bob = Device(ALICE), Device(BOB)
    alice.be(VOICE)
    bob.be(OTHER_VOICE)
    for turn in range(15):
        there, back = (OTHER_VOICE, VOICE) if turn % 2 == 0 else (VOICE, OTHER_VOICE)
        assert at_once([moving(alice, there), moving(bob, back)]) == [200, 200]

        where = dict(VoiceState.objects.values_list("user_id", "channel_id"))
        assert where == {ALICE: there, BOB: back}


@pytest.mark.parametrize("is_guarded", [True, False])
def test_the_last_place_is_for_one_of_two_who_move_in(
    west: FakeLiveKit, is_guarded: bool, monkeypatch: pytest.MonkeyPatch
):
    Channel.objects.filter(pk=OTHER_VOICE).update(user_limit=1)
    bob, moira = Device(BOB), Device(MOIRA)
    bob.be(VOICE)
    moira.be(VOICE)
    if not is_guarded:
        monkeypatch.setattr(presence, "lock_channels", unlocked)
    rival = Rival(moving(moira, OTHER_VOICE))
    planned = presence._planned

    def slowly(*args: Any) -> Any:
        found = planned(*args)
        rival.let_in()
        return found

    monkeypatch.setattr(presence, "_planned", slowly)
    statuses = [bob.change(channel_id=OTHER_VOICE).status_code, rival.finish()]

    inside = VoiceState.objects.filter(channel=OTHER_VOICE).count()
    assert (inside, statuses) == ((1, [200, 400]) if is_guarded else (2, [200, 200]))


@pytest.mark.parametrize("is_guarded", [True, False])
def test_the_last_two_who_move_out_leave_the_pin_its_time(
    west: FakeLiveKit, is_guarded: bool, monkeypatch: pytest.MonkeyPatch
):
    bob, moira = Device(BOB), Device(MOIRA)
    bob.enter(west)
    moira.enter(west)
    if not is_guarded:
        monkeypatch.setattr(presence, "lock_channels", unlocked)
    rival = Rival(moving(moira, OTHER_VOICE))
    tell = events.server_changed

    def slowly(**kwargs: Any) -> None:
        rival.let_in()
        tell(**kwargs)

    monkeypatch.setattr(events, "server_changed", slowly)
    assert bob.change(channel_id=OTHER_VOICE).status_code == 200
    assert rival.finish() == 200

    assert not VoiceState.objects.filter(channel=VOICE).exists()
    assert (RoomPin.objects.get(channel=VOICE).expires_at is not None) is is_guarded
