"""Two beats, two sweeps, two workers: the same as one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from fluxer.directory.models import Channel
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.orders import BackEnd, moderate
from tests.voice.races import at_once
from tests.voice.scene import BOB, GUILD, VOICE, Caller
from voice import due, rights, sweep, tasks, waiting
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


def test_who_was_asked_for_alone_waits_behind_no_crowd_and_the_crowd_goes_on(west: FakeLiveKit):
    server_id = Server.objects.get().pk
    crowd = [(server_id, f"dm_{n}") for n in range(40)]
    due.mark(*crowd[:20])
    due.mark((server_id, ROOM))
    due.mark(*crowd[20:])  # it has grown since
    due.mark((server_id, "dm_30"))
    with west.calls_during() as calls:
        tasks.settle(server_id, "dm_1")

    rooms = [call.room for call in calls]
    assert rooms[:6] == ["dm_1", ROOM, "dm_0", "dm_30", "dm_10", "dm_11"]
    assert len(rooms) == 41


def test_a_role_edit_in_many_channels_is_a_crowd_and_one_in_a_few_is_not(
    west: FakeLiveKit, moira: Caller
):
    server = Server.objects.get()
    for number in range(due.FEW + 1):
        channel = Channel.objects.create(pk=2000 + number, type=2, guild_id=GUILD, name="c")
        scene.seat(BOB, channel.pk, server=server, is_joined=True)
    BackEnd().do("PATCH", f"/guilds/{GUILD}/roles/{GUILD}", {"permissions": "1049600"})
    rights.drain()
    assert DueRoom.objects.filter(urgent_since=None).count() == due.FEW + 1
    assert waiting.due(now=timezone.now(), urgent=True)[0][1] == f"guild_{GUILD}_channel_2000"

    moderate(moira, BOB, connection_id=VoiceState.objects.get(channel_id=2005).pk, channel_id=None)
    assert waiting.due(now=timezone.now(), urgent=True)[0][1] == f"guild_{GUILD}_channel_2005"


def test_a_second_look_is_not_urgent_and_a_second_try_is(
    west: FakeLiveKit, later: Callable[[float], None]
):
    west.webhooks.off()
    west.rooms.create("dm_1", empty=300, departure=300, metadata="")
    west.join(west.token("dm_1", "user_1_conn_x"))
    server_id = Server.objects.get().pk
    due.mark((server_id, "dm_1"))
    due.mark((server_id, "dm_2"))
    assert settle_room(server_id=server_id, room="dm_1")
    with west.fault("error", method="ListParticipants"):
        assert settle_room(server_id=server_id, room="dm_2")
    later(2)

    urgent = waiting.due(now=timezone.now(), urgent=True)
    assert list(urgent) == [(server_id, "dm_2"), (server_id, "dm_1")]
    assert DueRoom.objects.get(room="dm_1").urgent_since is None
    assert list(waiting.due(now=timezone.now(), but=["dm_1"])) == [(server_id, "dm_2")]


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
    assert [room for server_id, room in first if server_id == many] == ["dm_0", "dm_1"]
    due.mark((many, "dm_300"))
    assert sorted(waiting.first(now=timezone.now())) == sorted([(many, "dm_300"), *first])
    assert [room for server_id, room in first if server_id == one] == ["dm_1"]
