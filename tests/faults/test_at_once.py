"""Two beats, two sweeps, two workers: the same as one."""

from typing import Any

import pytest
from django.utils import timezone

from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.races import at_once
from tests.voice.scene import GUILD, VOICE, Caller
from voice import due, sweep, tasks, waiting
from voice.models import DueRoom, VoiceState
from voice.settlement import settle_room

pytestmark = pytest.mark.django_db(transaction=True)

ROOM = f"guild_{GUILD}_channel_{VOICE}"


def test_two_sweeps_at_once_are_one(west: FakeLiveKit, alice: Caller):
    west.join(alice.token()["token"])
    server_id = Server.objects.get().pk
    with west.calls_during() as calls:
        reports = at_once([lambda: sweep.sweep(server_id=server_id)] * 4)

    assert sorted(report.is_skipped for report in reports if report) == [False, True, True, True]
    assert [call.method for call in calls].count("ListRooms") == 1


def test_two_workers_settle_a_room_once(west: FakeLiveKit, alice: Caller):
    person = west.join(alice.token()["token"])
    west.webhooks.off()
    stranger = west.join(west.token(ROOM, "user_2_conn_handmade"))
    server_id = Server.objects.get().pk
    due.mark((server_id, ROOM))
    settled = at_once([lambda: settle_room(server_id=server_id, room=ROOM)] * 4)

    assert settled.count(True) == 1
    assert person.inside
    assert not stranger.inside


def test_two_beats_find_the_same(west: FakeLiveKit, alice: Caller, bob: Caller):
    for caller in (alice, bob):
        west.join(caller.token()["token"])
    VoiceState.objects.filter(user_id=2).update(
        joined_at=None, participant_sid="", seat_until=timezone.now()
    )
    at_once([tasks.tidy, tasks.tidy, tasks.settle_due_rooms, tasks.settle_due_rooms])

    assert VoiceState.objects.count() == 1
    assert not DueRoom.objects.exists()


def test_a_task_takes_along_what_found_no_place(west: FakeLiveKit):
    server_id = Server.objects.get().pk
    due.mark(*((server_id, f"dm_{n}") for n in range(10)))
    tasks.settle(server_id, "dm_0")

    assert not DueRoom.objects.exists()


def test_a_server_that_hangs_holds_a_task_up_once(west: FakeLiveKit, settings: Any):
    settings.LIVEKIT_TIMEOUT = 0.1
    server_id = Server.objects.get().pk
    due.mark(*((server_id, f"dm_{n}") for n in range(10)))
    with west.fault("hang"), west.calls_during() as calls:
        tasks.settle(server_id, "dm_0")

    assert len(calls) == 1
    assert DueRoom.objects.count() == 10


def test_a_server_with_many_rooms_due_holds_no_other_up(west: FakeLiveKit, east: FakeLiveKit):
    many, one = (server.pk for server in Server.objects.order_by("-region_id"))
    due.mark(*((many, f"dm_{n}") for n in range(600)))
    due.mark((one, "dm_1"))

    first = list(waiting.first(now=timezone.now()))
    assert [server_id for server_id, _ in first].count(many) == due.AT_ONCE
    assert (one, "dm_1") in first
