"""A media server dies, or is cut off from us, and what is kept for those who were there."""

import json
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as configured
from django.utils import timezone

from fluxer.directory.models import Channel
from regions.models import Server
from tests.faults.beat import Beat
from tests.faults.people import connection_of, kick
from tests.livekit.fake import FakeLiveKit
from tests.voice.frozen import hold
from tests.voice.scene import ALICE, BOB, GUILD, OTHER_VOICE, VOICE, Caller
from tests.voice.workers import asked, broker
from voice import events, queue
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState

ROOM = f"guild_{GUILD}_channel_{VOICE}"


@pytest.fixture
def settled_west(west: FakeLiveKit, east: FakeLiveKit) -> FakeLiveKit:
    """us-west, where rooms go by default, with us-east beside it."""
    return west


def server(region: str = "us-west") -> Server:
    return Server.objects.get(region_id=region)


def test_a_dead_server_is_noticed_within_thirty_seconds(settled_west: FakeLiveKit, beat: Beat):
    beat.probe()
    settled_west.die()
    died_at = timezone.now()
    beat.interval(2)

    noticed_at = server().down_since
    assert noticed_at is not None
    assert noticed_at - died_at <= timedelta(seconds=30)
    assert server("us-east").works


def test_only_a_room_where_somebody_asked_follows_them(
    settled_west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat
):
    """A network split of 40 s: our calls fail, media lives."""
    west = settled_west
    asked = west.join(alice.token()["token"])
    silent = west.join(bob.token(OTHER_VOICE)["token"])
    west.refuse()
    beat.interval(4)
    assert not server().works
    assert [asked.inside, silent.inside] == [True, True]
    assert VoiceState.objects.filter(joined_at__isnull=False).count() == 2

    connection_id = VoiceState.objects.get(user_id=ALICE).pk
    grant = alice.token(connection_id=connection_id)
    assert grant["endpoint"] == east.url
    assert grant["connection_id"] == connection_id
    back = east.join(grant["token"])

    west.accept()
    beat.interval()
    assert not asked.inside  # what was left in the old room
    assert back.inside
    assert silent.inside
    assert RoomPin.objects.get(channel=VOICE).server == server("us-east")
    assert RoomPin.objects.get(channel=OTHER_VOICE).server == server()


def test_if_the_server_is_back_before_anybody_asked_nothing_happened(
    settled_west: FakeLiveKit, alice: Caller, beat: Beat
):
    person = settled_west.join(alice.token()["token"])
    before = VoiceState.objects.get()
    settled_west.refuse()
    beat.interval(4)
    settled_west.accept()
    beat.interval(2)

    assert person.inside
    after = VoiceState.objects.get()
    assert (after.pk, after.version, after.joined_at) == (
        before.pk,
        before.version,
        before.joined_at,
    )


def test_nobody_loses_their_seat_to_a_newcomer_while_it_is_kept(
    settled_west: FakeLiveKit,
    east: FakeLiveKit,
    alice: Caller,
    bob: Caller,
    moira: Caller,
    beat: Beat,
):
    Channel.objects.filter(pk=VOICE).update(user_limit=2)
    for caller in (alice, bob):
        settled_west.join(caller.token()["token"])
    settled_west.die()
    beat.interval(2)
    east.join(alice.token(connection_id=connection_of(ALICE))["token"])
    beat.later(configured.VOICE_DOWN_GRACE - 25)

    assert moira.ask().json()["code"] == "VOICE_CHANNEL_FULL"
    grant = bob.token(connection_id=connection_of(BOB))
    assert grant["endpoint"] == east.url
    east.join(grant["token"])
    assert moira.ask().json()["code"] == "VOICE_CHANNEL_FULL"
    assert VoiceState.objects.filter(joined_at__isnull=False).count() == 2


def test_a_seat_that_nobody_came_back_to_is_free_after_the_grace(
    settled_west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, moira: Caller,
    beat: Beat,
):  # fmt: skip
    Channel.objects.filter(pk=VOICE).update(user_limit=2)
    for caller in (alice, bob):
        settled_west.join(caller.token()["token"])
    settled_west.die()
    beat.interval(2)
    east.join(alice.token(connection_id=connection_of(ALICE))["token"])
    beat.later(configured.VOICE_DOWN_GRACE + 1)
    beat.tidy()

    assert moira.ask().status_code == 200
    assert EndedConnection.objects.get(user_id=BOB).reason == "expired"


def test_a_server_that_stays_away_loses_its_connections_and_they_may_return(
    settled_west: FakeLiveKit, alice: Caller, beat: Beat
):
    person = settled_west.join(alice.token()["token"])
    settled_west.refuse()
    beat.interval(2)
    assert server().down_since is not None
    beat.later(configured.VOICE_DOWN_GRACE - 11)
    beat.probe()
    beat.tidy()
    assert VoiceState.objects.count() == 1

    beat.interval(2)
    assert not VoiceState.objects.exists()
    ended = EndedConnection.objects.get()
    assert (ended.reason, ended.may_return_until is not None) == ("lost", True)
    assert RoomPin.objects.get().expires_at is not None

    settled_west.accept()
    beat.interval()
    assert person.inside
    assert VoiceState.objects.get().pk == ended.pk


@pytest.mark.django_db(transaction=True)
def test_a_held_room_of_a_lost_server_keeps_no_other(
    settled_west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat
):
    for caller, channel_id in ((alice, VOICE), (bob, OTHER_VOICE)):
        settled_west.join(caller.token(channel_id)["token"])
    settled_west.die()
    beat.interval(2)
    beat.later(configured.VOICE_DOWN_GRACE - 1)
    beat.probe()
    beat.later(2)
    with hold(VOICE):
        beat.tidy()
    assert [state.user_id for state in VoiceState.objects.all()] == [ALICE]


def test_if_no_server_answers_it_is_us_who_are_cut_off(
    settled_west: FakeLiveKit, east: FakeLiveKit, alice: Caller, beat: Beat
):
    settled_west.join(alice.token()["token"])
    settled_west.refuse()
    east.refuse()
    beat.interval(2)
    beat.later(configured.VOICE_DOWN_GRACE * 2)
    beat.interval(2)

    assert VoiceState.objects.filter(joined_at__isnull=False).count() == 1


def test_what_waited_for_the_server_is_done_when_it_is_back(
    settled_west: FakeLiveKit, alice: Caller, bob: Caller, moira: Caller, beat: Beat
):
    stays, goes = (settled_west.join(caller.token()["token"]) for caller in (alice, bob))
    settled_west.refuse()
    beat.interval(2)
    kick(moira, BOB)
    beat.settle()
    assert DueRoom.objects.count() == 1

    settled_west.accept()
    beat.probe()
    beat.sweep()
    assert stays.inside
    assert not goes.inside


def test_what_had_to_wait_is_due_as_soon_as_it_is_back(
    settled_west: FakeLiveKit, bob: Caller, moira: Caller, beat: Beat
):
    settled_west.join(bob.token()["token"])
    settled_west.refuse()
    kick(moira, BOB)
    for _ in range(4):
        beat.settle()
        beat.later((DueRoom.objects.get().due_at - timezone.now()).total_seconds())
    beat.settle()
    beat.probe()
    beat.later(3)
    beat.probe()
    waits_until = DueRoom.objects.get().due_at
    settled_west.accept()
    beat.probe()

    assert server().works
    assert DueRoom.objects.get().due_at <= timezone.now() < waits_until


@pytest.mark.django_db(transaction=True)
def test_who_is_left_in_its_rooms_is_looked_for_as_soon_as_it_is_back(
    settled_west: FakeLiveKit, beat: Beat, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "_quiet_until", 0.0)
    settled_west.refuse()
    beat.probe()
    beat.later(3)
    beat.probe()
    with broker() as client:
        client.flushdb()
    settled_west.accept()
    beat.probe()

    assert asked() == [("voice.tasks.sweep_server", f"({server().pk},)")]


def test_a_restart_is_noticed_by_its_rooms_though_the_server_answers(
    settled_west: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat
):
    for caller in (alice, bob):
        settled_west.join(caller.token()["token"])
    beat.later(5)
    settled_west.restart()
    beat.interval()

    again = alice.token(connection_id=connection_of(ALICE))
    person = settled_west.join(again["token"])
    beat.interval(3)
    assert server().works
    assert VoiceState.objects.get().participant_sid == person.sid
    assert EndedConnection.objects.get().user_id == BOB


@pytest.mark.parametrize("sid", [None, "phone"])
@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("was_in", [True, False])
def test_who_asks_again_finds_the_room_again_at_once(
    settled_west: FakeLiveKit,
    bob: Caller,
    beat: Beat,
    sid: str | None,
    is_named: bool,
    was_in: bool,
):
    """The server was restarted, and the last listing that showed the room is not old."""
    caller = Caller(ALICE, sid=sid)
    grant = caller.token()
    if was_in:
        settled_west.join(grant["token"])
    beat.interval()
    beat.later(2)
    settled_west.restart()

    named: Any = {"connection_id": grant["connection_id"]} if is_named else {}
    again = settled_west.join(caller.token(**named)["token"])
    newcomer = settled_west.join(bob.token()["token"])

    assert again.inside
    assert newcomer.inside


@pytest.mark.django_db(transaction=True)
def test_everybody_there_is_told_and_nobody_elsewhere(
    settled_west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat
):
    told = redis.Redis.from_url(configured.REDIS_URL, decode_responses=True)
    settled_west.join(alice.token()["token"])
    east.join(bob.token(OTHER_VOICE, region="us-east")["token"])
    assert RoomPin.objects.get(channel=OTHER_VOICE).server == server("us-east")
    told.delete(events.STREAM)
    settled_west.die()
    beat.interval(3)

    stream: Any = told.xrange(events.STREAM)
    entries = [entry for _, entry in stream]
    told.close()
    moved = [entry for entry in entries if entry["type"] == "VOICE_SERVER_UPDATE"]
    assert [(entry["user_id"], json.loads(entry["data"])["reason"]) for entry in moved] == [
        (str(ALICE), "failed_over")
    ]
