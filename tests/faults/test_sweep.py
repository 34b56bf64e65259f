"""One sweep of a server finds whatever differs, and does nothing about the rest."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fluxer.directory.models import Channel
from regions.models import Server
from tests.faults.beat import Beat
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.scene import ALICE, GUILD, VOICE, Caller
from voice import sweep as sweeping
from voice.differences import Kind
from voice.models import DueRoom, EndedConnection, RoomPin, Sweep, VoiceState

ROOM = f"guild_{GUILD}_channel_{VOICE}"


def the_report(beat: Beat) -> sweeping.Report:
    (report,) = beat.sweep()
    return report


def test_a_quiet_server_is_asked_and_left_alone(west: FakeLiveKit, alice: Caller, beat: Beat):
    person = west.join(alice.token()["token"])
    beat.later(5)

    with west.calls_during() as calls:
        report = the_report(beat)

    assert [call.method for call in calls] == ["ListRooms", "ListParticipants"]
    assert (report.rooms, report.participants, list(report.found)) == (1, 1, [])
    assert person.inside
    assert not DueRoom.objects.exists()
    assert Sweep.objects.get().swept_at is not None


def test_a_sweep_keeps_rooms_warm(west: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat):
    west.join(alice.token()["token"])
    beat.later(60)
    began = timezone.now()
    beat.sweep()

    assert RoomPin.objects.get().made_at >= began
    with west.calls_during() as calls:
        bob.token()
    assert calls == []


def test_a_participant_nobody_knows_is_out_after_one_sweep(
    west: FakeLiveKit, alice: Caller, beat: Beat
):
    west.join(alice.token()["token"])
    west.webhooks.off()
    stranger = west.join(west.token(ROOM, "user_2_conn_handmade"))
    hidden = west.join(west.token(ROOM, "spy", hidden=True))

    report = the_report(beat)

    assert {difference.kind for difference in report.found} == {Kind.STRANGER}
    assert not stranger.inside
    assert not hidden.inside
    assert stranger.reason == "PARTICIPANT_REMOVED"
    assert VoiceState.objects.count() == 1


@pytest.mark.parametrize(
    "room",
    ["dm_999", f"guild_9_channel_{VOICE}", f"dm_{VOICE}", f"guild_{GUILD}_channel_104"],
    ids=["no such channel", "another guild", "another kind", "never made by us"],
)
def test_a_room_with_one_of_our_names_that_we_never_made_is_emptied(
    west: FakeLiveKit, beat: Beat, room: str
):
    west.webhooks.off()
    west.rooms.create(room, empty=300, departure=300, metadata="")
    squatter = west.join(west.token(room, "user_1_conn_x"))

    beat.sweep()

    assert not squatter.inside
    assert not VoiceState.objects.exists()


def test_rooms_that_are_not_ours_are_never_touched(west: FakeLiveKit, beat: Beat):
    west.webhooks.off()
    foreign = ["standup", "guild_x_channel_1", "dm_01", "guild_1_channel_2_old", ""]
    guests = []
    for name in foreign:
        west.rooms.create(name, empty=300, departure=300, metadata="")
        guests.append(west.join(west.token(name, "user_1_conn_x")))

    with west.calls_during() as calls:
        beat.sweep()

    assert [call.method for call in calls] == ["ListRooms"]
    assert all(guest.inside for guest in guests)


@pytest.mark.parametrize("fields", [{"is_draining": True}, {"is_active": False}])
def test_drained_and_inactive_servers_are_swept_too(
    west: FakeLiveKit, beat: Beat, fields: dict[str, Any]
):
    Server.objects.update(**fields)
    west.webhooks.off()
    west.rooms.create(ROOM, empty=300, departure=300, metadata="")
    stranger = west.join(west.token(ROOM, "user_2_conn_handmade"))

    beat.sweep()

    assert not stranger.inside


def test_a_room_on_a_server_that_it_is_not_pinned_to_is_emptied(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, beat: Beat
):
    grant = alice.token()
    home, other = (west, east) if grant["endpoint"] == west.url else (east, west)
    person = home.join(grant["token"])
    other.webhooks.off()
    other.rooms.create(ROOM, empty=300, departure=300, metadata="")
    double = other.join(other.token(ROOM, person.identity))

    beat.sweep()

    assert not double.inside
    assert person.inside
    assert VoiceState.objects.get().participant_sid == person.sid


def test_a_permission_that_differs_is_set_right(west: FakeLiveKit, alice: Caller, beat: Beat):
    person = west.join(alice.token()["token"])
    west.webhooks.off()
    person.info.permission.can_publish = False

    beat.sweep()

    assert person.info.permission.can_publish


def test_a_join_that_no_webhook_told_of_is_found(west: FakeLiveKit, alice: Caller, beat: Beat):
    west.webhooks.off()
    person = west.join(alice.token()["token"])

    beat.sweep()

    assert VoiceState.objects.get().participant_sid == person.sid


def test_where_an_interval_is_too_short_for_all_rooms_the_last_one_has_its_turn(
    west: FakeLiveKit, beat: Beat, settings: Any
):
    settings.VOICE_SWEEP_INTERVAL = 1
    west.webhooks.off()
    for number in range(150):
        west.rooms.create(f"dm_{number + 1000}", empty=300, departure=300, metadata="")
    stranger = west.join(west.token("dm_1149", "user_1_conn_x"))
    with west.fault("slow", method="ListParticipants", seconds=0.6):
        for _ in range(30):  # in each, a room is listed with a chance of a third at least
            report = the_report(beat)
            assert report.error
            if not stranger.inside:
                break
            beat.later(30)

    assert not stranger.inside


def test_a_client_that_vanished_is_gone_after_two_listings(
    west: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat
):
    gone, stays = (west.join(caller.token()["token"]) for caller in (alice, bob))
    beat.later(1)
    gone.vanish()

    beat.sweep()
    assert VoiceState.objects.filter(user_id=1).get().missing_since is not None
    assert west.identities(ROOM) == {stays.identity}

    beat.interval()
    assert VoiceState.objects.get().participant_sid == stays.sid
    ended = EndedConnection.objects.get()
    assert ended.reason == "lost"
    assert ended.may_return_until is not None


def test_rooms_that_a_restart_lost_are_made_again(west: FakeLiveKit, alice: Caller, beat: Beat):
    west.join(alice.token()["token"])
    beat.later(5)
    west.restart()

    report = the_report(beat)

    assert [difference.kind for difference in report.found] == [Kind.LOST_ROOM]
    assert [room.name for room in west.rooms.listing([])] == [ROOM]
    beat.interval(2)
    assert not VoiceState.objects.exists()


def test_a_pin_without_anybody_gets_a_timer(west: FakeLiveKit, alice: Caller, beat: Beat):
    alice.token()
    VoiceState.objects.all().delete()

    beat.tidy()

    assert RoomPin.objects.get().expires_at is not None


def test_a_room_of_a_channel_that_is_gone_is_emptied(west: FakeLiveKit, alice: Caller, beat: Beat):
    person = west.join(alice.token()["token"])
    west.webhooks.off()
    VoiceState.objects.all().delete()
    RoomPin.objects.all().delete()
    Channel.objects.filter(pk=VOICE).delete()

    beat.sweep()

    assert not person.inside


def test_an_end_and_a_sweep_that_has_seen_them_still_in_bring_nobody_back(
    west: FakeLiveKit, alice: Caller, beat: Beat
):
    """The list that the sweep acts on is always older than what it is compared with."""
    person = west.join(alice.token()["token"])
    stale = west.fault("stale", method="ListParticipants", times=1)
    person.leave()
    beat.sweep()

    assert stale.hits == 1
    assert not VoiceState.objects.exists()


def test_two_sweeps_in_a_row_are_one(west: FakeLiveKit, beat: Beat):
    assert not the_report(beat).is_skipped
    with west.calls_during() as calls:
        assert the_report(beat).is_skipped
    assert calls == []
    beat.later(10)
    assert not the_report(beat).is_skipped


def test_a_server_that_is_down_is_not_swept(west: FakeLiveKit, beat: Beat):
    server = Server.objects.get()
    Server.objects.update(down_since=timezone.now())

    with west.calls_during() as calls:
        report = sweeping.sweep(server_id=server.pk)
    assert report is not None
    assert report.is_skipped
    assert sweeping.sweep(server_id=12345) is None
    assert calls == []


def test_the_number_of_statements_does_not_grow_with_the_rooms(west: FakeLiveKit, beat: Beat):
    west.webhooks.off()
    server = Server.objects.get()

    def fill(numbers: range) -> None:
        """Rooms with a stranger in each, and pinned rooms that are lost."""
        now = timezone.now()
        for n in numbers:
            name = f"guild_{GUILD}_channel_{5000 + n}"
            Channel.objects.create(pk=5000 + n, type=2, guild_id=GUILD, name=name)
            west.rooms.create(name, empty=300, departure=300, metadata="")
            west.join(west.token(name, f"user_{n}_conn_stranger"))
            lost = Channel.objects.create(pk=7000 + n, type=2, guild_id=GUILD, name="lost")
            RoomPin.objects.create(channel=lost, server=server, pinned_at=now, made_at=now)
            scene.seat(ALICE, lost.pk, server=server)

    def statements(differing: int) -> int:
        beat.later(10)
        with CaptureQueriesContext(connection) as queries:
            report = sweeping.sweep(server_id=server.pk)
        assert report is not None
        assert len(report.differing) == differing
        return len(queries)

    fill(range(1))
    few = statements(2)
    fill(range(1, 60))
    assert statements(120) == few
    assert few <= 11
