"""An error is not an empty room: whatever a list answers, nobody is removed for it."""

from threading import Event
from typing import Any

import pytest
from django.utils import timezone

from fluxer.livekit.loop import loop_thread
from regions.models import Server
from tests.faults.beat import Beat
from tests.faults.people import kick
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_faults import API, Kind
from tests.livekit.fake_participant import FakeParticipant
from tests.voice.scene import BOB, GUILD, MOIRA, OTHER_VOICE, VOICE, Caller
from voice.models import DueRoom, RoomPin, VoiceState
from voice.sweep import sweep

ROOM = f"guild_{GUILD}_channel_{VOICE}"
FIVE_MINUTES = 30  # sweep intervals

Trio = list[FakeParticipant]


@pytest.fixture
def trio(west: FakeLiveKit, alice: Caller, bob: Caller, moira: Caller) -> Trio:
    """Three who are in."""
    return [west.join(caller.token()["token"]) for caller in (alice, bob, moira)]


def test_a_loop_of_ours_that_is_stuck_says_nothing_of_the_server(
    west: FakeLiveKit, trio: Trio, alice: Caller, settings: Any
):
    settings.LIVEKIT_TIMEOUT = 0.1
    server, stuck = Server.objects.get(), Event()
    loop_thread().loop.call_soon_threadsafe(stuck.wait)
    try:
        report = sweep(server_id=server.pk)
        assert alice.ask(OTHER_VOICE).status_code == 503
    finally:
        stuck.set()

    assert report is not None
    assert "this process is too busy" in report.error
    server.refresh_from_db()
    assert (server.failing_since, server.suspect_until) == (None, None)
    assert alice.ask(OTHER_VOICE).status_code == 200


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("error", API),
        ("plain_500", "ListRooms"),
        ("break", "ListParticipants"),
        ("garbage", API),
        ("page", API),
        ("redirect", API),
    ],
)
def test_lists_that_fail_for_five_minutes_remove_nobody_and_then_all_is_settled(
    west: FakeLiveKit, trio: Trio, moira: Caller, beat: Beat, kind: Kind, method: str
):
    _, bob, ghost = trio
    beat.later(1)
    with west.fault(kind, method=method):
        ghost.vanish()
        kick(moira, BOB)
        beat.interval(FIVE_MINUTES)
        assert VoiceState.objects.count() == 2
        assert Server.objects.get().down_since is None

    beat.interval(5)
    assert VoiceState.objects.exclude(user_id=MOIRA).count() == 1
    assert not VoiceState.objects.filter(user_id=MOIRA).exists()
    assert not bob.inside
    assert west.identities(ROOM) == {trio[0].identity}
    assert not DueRoom.objects.exists()


def test_one_list_of_rooms_that_is_lost_holds_up_no_removal(
    west: FakeLiveKit, trio: Trio, beat: Beat
):
    with west.fault("error", method="ListRooms", times=1), west.calls_during() as calls:
        assert not beat.sweep()[0].error
    assert [call.method for call in calls][:2] == ["ListRooms", "ListRooms"]
    assert Server.objects.get().failing_since is None
    stranger = west.join(west.token(ROOM, "user_2_conn_handmade"))
    beat.settle()
    assert not stranger.inside


def test_a_list_that_hangs_removes_nobody(west: FakeLiveKit, trio: Trio, beat: Beat, settings):
    settings.LIVEKIT_TIMEOUT = 0.1
    with west.fault("hang", method="ListParticipants"):
        beat.interval(3)
        assert Server.objects.get().failing_since is not None
    beat.interval(2)
    assert Server.objects.get().failing_since is None
    assert all(person.inside for person in trio)
    assert VoiceState.objects.count() == 3


@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_empty_answer_or_two_at_once_remove_nobody(
    west: FakeLiveKit, trio: Trio, beat: Beat, times: int
):
    beat.later(1)
    with west.fault("empty", times=times):
        beat.sweep()
    beat.interval(3)

    assert VoiceState.objects.filter(missing_since=None, joined_at__isnull=False).count() == 3
    assert all(person.inside for person in trio)
    assert not DueRoom.objects.exists()


def test_a_stale_list_throws_no_newcomer_out(
    west: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat
):
    west.join(alice.token()["token"])
    with west.fault("stale"):
        newcomer = west.join(bob.token()["token"])
        beat.later(1)
        beat.sweep()
    beat.interval(2)

    assert newcomer.inside
    assert VoiceState.objects.get(user_id=BOB).missing_since is None


def test_a_failing_server_takes_no_new_rooms_and_its_due_rooms_wait(
    west: FakeLiveKit, east: FakeLiveKit, trio: Trio, moira: Caller, beat: Beat
):
    assert RoomPin.objects.get().server.region_id == "us-west"
    fault = west.fault("error", method=API)
    beat.sweep()
    assert moira.token(104)["endpoint"] == east.url  # another channel
    kick(moira, BOB)
    with west.calls_during() as calls:
        beat.settle()
    assert calls == []

    fault.stop()
    beat.interval()
    assert not trio[1].inside


def test_what_had_to_wait_is_due_as_soon_as_its_api_answers(
    west: FakeLiveKit, trio: Trio, moira: Caller, beat: Beat
):
    with west.fault("error", method=API):
        kick(moira, BOB)
        for _ in range(4):
            beat.settle()
            beat.later((DueRoom.objects.get().due_at - timezone.now()).total_seconds())
        beat.settle()
        beat.sweep()
        assert not Server.objects.filter(failing_since=None).exists()
    waits_until = DueRoom.objects.get().due_at
    beat.later(6)  # the next sweep's turn
    sweep(server_id=Server.objects.get().pk)

    assert DueRoom.objects.get().due_at <= timezone.now() < waits_until


def test_a_removal_that_livekit_does_not_take_is_tried_until_it_does(
    west: FakeLiveKit, trio: Trio, moira: Caller, beat: Beat
):
    with west.fault("error", method="RemoveParticipant"):
        kick(moira, BOB)
        for _ in range(6):
            beat.later(10)
            beat.settle()
        assert trio[1].inside
    beat.later(30)
    beat.settle()
    assert not trio[1].inside


def test_a_call_that_always_fails_holds_nobody_in_the_room_up(
    west: FakeLiveKit, trio: Trio, beat: Beat
):
    """With all webhooks lost, a stranger is out one sweep after coming, as anywhere."""
    west.webhooks.off()
    with west.fault("error", method="RemoveParticipant", identity="rogue"):
        rogue = west.join(west.token(ROOM, "rogue"))
        beat.interval(7)
        stranger = west.join(west.token(ROOM, "stranger"))
        beat.interval()

    assert rogue.inside
    assert not stranger.inside
