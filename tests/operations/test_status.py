"""What is wrong is said in words, with what to do, and costs the same however much there is."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fluxer.directory.models import RightsChange
from fluxer.staff.words import span
from regions.models import Region, Server
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from voice import heartbeats, status
from voice.models import DueRoom, Heartbeat, RoomPin, Sweep, VoiceState
from voice.status import Status


def now_read() -> Status:
    return status.read(timezone.now())


def sentences() -> str:
    return "\n".join(f"{t.severity} {t.sentence} {t.remedy}" for t in now_read().troubles)


def healthy(**fields: Any) -> Server:
    """A server that was probed just now, by those who do it."""
    scene.beating()
    Region.objects.get_or_create(pk="us-west", defaults={"name": "US West", "is_default": True})
    number = Server.objects.count() + 1
    return Server.objects.create(
        region_id="us-west",
        slug=f"us-west-{number}",
        endpoint=f"wss://voice-{number}.example.org",
        api_key="key",
        api_secret="s" * 32,
        **{"probed_at": timezone.now(), **fields},
    )


def test_without_a_region_nobody_can_join(db: None) -> None:
    assert "error There is no voice region" in sentences()
    assert not now_read().is_well


def test_a_region_needs_a_server(db: None) -> None:
    Region.objects.create(pk="us-west", name="US West", is_default=True)
    assert "No region has a server" in sentences()


def test_two_rows_that_are_one_server_are_said(db: None) -> None:
    healthy()
    Server.objects.filter(pk=healthy().pk).update(api_url="https://voice-1.example.org:443/")
    assert "error us-west/us-west-1 and us-west/us-west-2 are one LiveKit server" in sentences()


def test_all_is_well_with_one_server_that_answers(db: None) -> None:
    healthy()
    assert now_read().troubles == ()
    assert now_read().is_well


def test_a_draining_region_and_no_default_are_warnings_only(db: None) -> None:
    healthy()
    Region.objects.update(is_default=False)
    Region.objects.create(pk="eu-central", name="EU Central")
    said = sentences()
    assert "EU Central takes no new rooms" in said
    assert "No region is the default" in said
    assert now_read().is_well


def test_a_default_that_does_not_exist_is_said(db: None, settings: Any) -> None:
    healthy()
    settings.VOICE_DEFAULT_REGION = "us-wset"
    assert "VOICE_DEFAULT_REGION names us-wset" in sentences()


def test_a_server_that_is_down_or_failing_says_since_when_and_why(db: None) -> None:
    healthy(down_since=timezone.now(), last_error="connection refused")
    healthy(failing_since=timezone.now(), last_error="401")
    said = sentences()
    assert "us-west/us-west-1 is down since" in said
    assert "connection refused" in said
    assert "The API of us-west/us-west-2 fails since" in said
    assert "No voice server takes new rooms" in said


ALL = ("beat", "now", "sweep")


@pytest.mark.parametrize(
    ("silent", "said", "not_said"),
    [
        ((), "", "heard of|has taken|been probed"),
        (("beat",), "beat has not been heard of since", "has taken|been probed"),
        (("now",), "has taken anything of `now` since", "heard of|of `sweep`|been probed"),
        (("sweep",), "has taken anything of `sweep` since", "heard of|of `now`|been probed"),
        # Workers cannot take what nobody asks for.
        (ALL, "beat has not been heard of since", "has taken"),
    ],
)
def test_a_dead_worker_and_a_dead_beat_are_told_apart(
    db: None, silent: tuple[str, ...], said: str, not_said: str
) -> None:
    healthy()  # probed just now, by staff, perhaps
    scene.beating(silent=silent, since=90)
    assert said in sentences()
    assert not re.search(not_said, sentences())
    assert now_read().is_well == (not silent)


def test_a_worker_that_was_silent_before_beat_stopped_is_said_too(db: None) -> None:
    healthy()
    scene.beating(silent=ALL, since=90)
    Heartbeat.objects.filter(pk="sweep").update(heard_at=timezone.now() - timedelta(seconds=300))
    assert "beat has not been heard of since" in sentences()
    assert "has taken anything of `sweep` since" in sentences()


def test_a_minute_of_silence_is_no_trouble(db: None) -> None:
    healthy()
    scene.beating(silent=ALL, since=50)
    assert now_read().troubles == ()


def test_nobody_is_alarmed_right_after_the_first_start(transactional_db: None) -> None:
    call_command("migrate", "voice", "0003", verbosity=0)
    call_command("migrate", "voice", verbosity=0)
    assert set(heartbeats.read()) == set(ALL)
    assert "heard of" not in sentences()
    assert "has taken" not in sentences()


def test_probes_that_fail_are_noticed_while_beat_and_workers_run(db: None) -> None:
    healthy(probed_at=timezone.now() - timedelta(minutes=5))
    assert "No server has been probed since" in sentences()


def test_a_server_that_was_never_probed_or_swept_is_noticed_some_time_after_it_was_added(
    db: None,
) -> None:
    healthy(probed_at=None)
    assert now_read().troubles == ()
    Server.objects.update(added_at=timezone.now() - timedelta(minutes=5))
    assert "No server has been probed at all, though beat" in sentences()
    assert "us-west/us-west-1 has not been compared with our tables at all" in sentences()


def test_a_sweep_that_stopped_is_noticed(db: None) -> None:
    now = timezone.now()
    old = now - timedelta(minutes=5)
    Sweep.objects.create(server=healthy(), leased_until=old, swept_at=old)
    assert "has not been compared with our tables since" in sentences()


def test_rooms_and_rights_that_wait_are_late(db: None) -> None:
    server, then = healthy(), timezone.now() - timedelta(seconds=60)
    DueRoom.objects.create(server=server, room="guild_10_channel_100", due_at=then)
    change = RightsChange.objects.create(scope="guild", subject_id=1)
    RightsChange.objects.filter(pk=change.pk).update(created_at=then)
    said = sentences()
    assert "Rooms have been waiting 60 s" in said
    assert "Changed rights have been waiting 60 s" in said
    totals = now_read().totals
    assert (totals.due_rooms, totals.rights_changes) == (1, 1)
    assert 59 < totals.due_lateness < 70


def test_what_livekit_refuses_again_and_again_is_late_though_each_retry_is_due_later(
    db: None,
) -> None:
    now = timezone.now()
    later, then = now + timedelta(seconds=30), now - timedelta(seconds=400)
    room = {"server": healthy(), "room": "guild_10_channel_100", "attempts": 18}
    DueRoom.objects.create(due_at=later, **room)
    DueRoom.objects.update(since=then)
    assert "Rooms have been waiting 7 min" in sentences()
    assert now_read().totals.due_lateness > 399


def test_rooms_that_wait_for_a_dead_server_are_not_the_workers_fault(db: None) -> None:
    server, then = healthy(down_since=timezone.now()), timezone.now() - timedelta(seconds=60)
    DueRoom.objects.create(server=server, room="guild_10_channel_100", due_at=then)
    assert "Rooms have been waiting" not in sentences()


def test_joins_that_come_without_webhooks_tell_of_a_wrong_address(west: FakeLiveKit) -> None:
    server = Server.objects.get()
    scene.seat(scene.ALICE, server=server, is_joined=True)
    assert "Webhooks do not arrive from us-west/us-west-1" in sentences()
    Server.objects.update(webhook_at=timezone.now())
    assert "Webhooks" not in sentences()


def test_a_server_over_its_limit_is_said(west: FakeLiveKit) -> None:
    server = Server.objects.get()
    Server.objects.update(soft_connection_limit=1, webhook_at=timezone.now())
    for user in (scene.ALICE, scene.BOB):
        scene.seat(user, server=server, is_joined=True)
    assert "carries 2 connections, more than its 1" in sentences()


def test_the_totals_count_who_is_in_who_has_a_seat_and_where(west: FakeLiveKit) -> None:
    server, now = Server.objects.get(), timezone.now()
    scene.seat(scene.ALICE, server=server, is_joined=True)
    scene.seat(scene.BOB, server=server)
    scene.seat(scene.MOIRA, scene.OTHER_VOICE)
    VoiceState.objects.filter(user=scene.MOIRA).update(seat_until=now - timedelta(seconds=1))
    RoomPin.objects.create(channel_id=scene.VOICE, server=server, pinned_at=now, made_at=now)
    found = now_read()
    totals = found.totals
    assert (totals.connected, totals.seats, totals.rooms, totals.pins) == (1, 1, 1, 1)
    row = found.servers[0]
    assert (row.connected, row.seats, row.rooms, row.load) == (1, 1, 1, 2)


def test_every_trouble_leads_to_a_page_of_the_admin(db: None) -> None:
    then = timezone.now() - timedelta(minutes=9)
    server = healthy(probed_at=then)
    DueRoom.objects.create(server=server, room="guild_10_channel_100", due_at=then)
    Region.objects.create(pk="eu-central", name="EU Central")
    found = now_read().troubles
    assert len(found) >= 3
    for trouble in found:
        assert reverse(trouble.url_name, args=trouble.url_args).startswith("/admin/")


def test_the_statements_do_not_grow(db: None) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            now_read()
        return len(seen)

    healthy()
    few = statements()
    for _ in range(20):
        DueRoom.objects.create(server=healthy(), room="dm_1", due_at=timezone.now())
    assert statements() == few <= 8


@pytest.mark.parametrize(("seconds", "words"), [(3, "3 s"), (300, "5 min"), (10800, "3 h")])
def test_a_span_is_for_people(seconds: float, words: str) -> None:
    assert span(seconds) == words
