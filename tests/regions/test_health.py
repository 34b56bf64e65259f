"""Servers go down and come back; whoever reports, in whatever order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from fluxer.directory.changes import Hook
from fluxer.errors import ServiceUnavailable
from fluxer.livekit import ProbeResult
from fluxer.livekit.loop import loop_thread
from regions import health, probes, trial
from regions.models import Server
from regions.tasks import probe_servers
from tests.regions.scene import region, server
from tests.voice.frozen import hold_row

UP, DOWN = ProbeResult(True, 3.14159), ProbeResult(False, 2000.0, "LiveKit cannot be reached")
NOON = timezone.now()


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def west(db: None) -> Server:
    region("us-west")
    return server("us-west")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """What the hooks were told; those of other apps are left out."""
    heard: list[tuple[str, list[int]]] = []
    for name in ("went_down", "came_back"):
        hook = Hook()

        def hear(server_ids: list[int], now: datetime, name: str = name) -> None:
            heard.append((name, server_ids))

        hook.register(hear)
        monkeypatch.setattr(health, name, hook)
    return heard


def probe(row: Server, result: ProbeResult, at: float, took: float = 1) -> health.Changed:
    return health.probed({row.pk: result}, begun_at=after(at), now=after(at + took))


def word(row: Server, at: float = 0) -> str:
    row.refresh_from_db()
    return str(health.state(row, now=after(at))["state"])


def test_two_failures_in_a_row_make_it_down_and_one_answer_brings_it_back(
    west: Server, told: list[Any]
) -> None:
    assert word(west) == "unknown"
    probe(west, UP, 0)
    assert word(west) == "up"
    probe(west, DOWN, 10)
    assert word(west) == "up"
    assert Server.objects.get().works
    assert told == []
    assert probe(west, DOWN, 20).down == (west.pk,)
    assert word(west) == "down"
    assert not west.works
    assert west.down_since == after(21)
    assert west.last_error == DOWN.error
    probe(west, DOWN, 30)
    assert told == [("went_down", [west.pk])]
    assert probe(west, UP, 40).back == (west.pk,)
    assert word(west) == "up"
    assert (west.failures, west.last_error, west.probe_ms) == (0, "", 3.1)
    assert told == [("went_down", [west.pk]), ("came_back", [west.pk])]


def test_an_answer_in_between_starts_the_count_anew(west: Server) -> None:
    for number, result in enumerate((DOWN, UP, DOWN, UP, DOWN)):
        probe(west, result, 10 * number)
    assert word(west) == "up"


def test_of_two_rounds_that_overlap_only_one_counts(west: Server) -> None:
    probe(west, DOWN, 0, took=2)
    probe(west, DOWN, 1, took=2)
    assert word(west) == "up"
    assert west.failures == 1
    probe(west, DOWN, 4, took=2)
    assert word(west) == "down"


def test_one_failure_that_two_beats_see_at_the_same_moment_is_one(west: Server) -> None:
    probe(west, DOWN, 0, took=0.01)
    probe(west, DOWN, 0.1, took=0.01)
    assert word(west) == "up"
    probe(west, DOWN, 3)
    assert word(west) == "down"


@pytest.mark.parametrize(
    ("rounds", "took"),
    [
        ([n + d for n in range(0, 30, 1) for d in (0, 0.9)], 0.01),
        ([n + d for n in range(0, 60, 5) for d in (0, 1.5, 3, 4.5)], 0.01),
        (range(0, 60, 2), 1.9),
    ],
    ids=["every second", "two beats", "a server that hangs"],
)
def test_who_is_asked_often_is_down_soon(west: Server, rounds: list[float], took: float) -> None:
    """Who sees the same failure again does not put the second one off."""
    found = [at for at in rounds if probe(west, DOWN, at, took=took).down]
    assert len(found) == 1
    assert found[0] <= 4


def test_a_round_that_a_frozen_process_finishes_late_is_old_news(west: Server) -> None:
    probe(west, DOWN, 90)
    probe(west, DOWN, 100)
    probe(west, UP, 20, took=82)
    assert word(west, 103) == "down"


def test_a_probe_that_a_clock_of_ours_dated_ahead_stops_no_other(west: Server) -> None:
    probe(west, UP, 3600)
    health.suspect(west.pk, now=after(3600))
    probe(west, UP, 0)
    assert word(west, 1) == "up"
    health.probed({west.pk: UP}, begun_at=after(3600), now=after(3600))
    for at in (10, 20):
        probe(west, DOWN, at)
    assert word(west) == "down"


def test_an_old_answer_does_not_undo_a_newer_failure(west: Server) -> None:
    probe(west, DOWN, 0)
    probe(west, DOWN, 10)
    probe(west, UP, 5)
    assert word(west) == "down"


def test_a_suspicion_ends_with_the_next_probe_that_answers(west: Server) -> None:
    health.suspect(west.pk, now=after(0))
    assert word(west, 3 * settings.VOICE_PROBE_INTERVAL - 0.1) == "suspect"
    assert west.works
    probe(west, DOWN, 1)
    assert word(west, 3) == "suspect"
    probe(west, UP, 4)
    assert word(west, 5) == "up"


def test_a_probe_that_was_under_way_does_not_clear_a_suspicion(west: Server) -> None:
    health.suspect(west.pk, now=after(1))
    probe(west, UP, 0, took=2)
    assert word(west, 3) == "suspect"
    probe(west, UP, 10)
    assert word(west, 11) == "up"


def test_a_suspicion_without_any_probe_ends_by_itself(west: Server) -> None:
    health.suspect(west.pk, now=after(0))
    health.suspect(west.pk, now=after(-5))  # an older one takes nothing away
    assert word(west, 3 * settings.VOICE_PROBE_INTERVAL - 1) == "suspect"
    assert word(west, 3 * settings.VOICE_PROBE_INTERVAL + 1) == "unknown"


def test_failing_ends_when_the_api_answers_and_not_with_a_probe(
    west: Server, told: list[tuple[str, list[int]]]
) -> None:
    assert health.failing(west.pk, now=after(0), error="LiveKit answered ListRooms with 500")
    assert not health.failing(west.pk, now=after(5))
    probe(west, UP, 6)
    assert word(west) == "failing"
    assert west.failing_since == after(0)
    assert west.last_error == "LiveKit answered ListRooms with 500"
    assert health.api_answers(west.pk, now=after(7))
    assert not health.api_answers(west.pk, now=after(8))
    assert word(west) == "up"
    assert told == [("came_back", [west.pk])]


def test_webhooks_are_noted_at_most_every_ten_seconds(west: Server) -> None:
    for seconds, noted in ((0, 0), (9, 0), (10, 10), (12, 10)):
        health.webhook_seen(west.pk, now=after(seconds))
        west.refresh_from_db()
        assert west.webhook_at == after(noted)


def test_a_follower_that_fails_undoes_nothing(
    west: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = Hook()
    hook.register(lambda **_: 1 // 0)
    monkeypatch.setattr(health, "went_down", hook)
    probe(west, DOWN, 0)
    probe(west, DOWN, 10)
    assert word(west) == "down"
    assert "what follows a change of health failed" in caplog.text


def test_a_server_that_was_deleted_meanwhile_is_no_fault(west: Server) -> None:
    west.delete()
    assert health.probed({west.pk: UP}, begun_at=after(0), now=after(1)) == health.Changed()
    health.suspect(west.pk, now=after(0))


def test_every_server_is_asked_at_the_same_time(
    db: None, fake_livekit: Any, told: list[Any], time_machine: Any
) -> None:
    time_machine.move_to(timezone.now())
    region("us-west")
    rows, fakes = [], [fake_livekit() for _ in range(6)]
    for number, fake in enumerate(fakes):
        rows.append(
            server(
                "us-west",
                f"s{number}",
                endpoint=fake.url,
                api_url="" if number else fake.api_url,
                is_active=number != 1,
            )
        )
    for fake in fakes[:4]:
        fake.fault("hang", method="GET /")
    fakes[4].fault("plain_500", method="GET /")
    began = timezone.now()
    probes.probe()
    assert timezone.now() - began < timedelta(seconds=3.5)
    time_machine.shift(timedelta(seconds=3))
    probes.probe()
    states = [word(row, 60) for row in rows]
    assert states == ["down"] * 5 + ["up"]
    assert told == [("went_down", [row.pk for row in rows[:5]])]


def test_a_round_asks_the_dead_and_the_hanging_once_more_and_nobody_else(
    db: None, fake_livekit: Any, told: list[Any]
) -> None:
    region("us-west")
    dead, hanging, well = (fake_livekit() for _ in range(3))
    rows = [
        server("us-west", f"s{number}", endpoint=fake.url, api_url=fake.api_url)
        for number, fake in enumerate((dead, hanging, well))
    ]
    dead.refuse()
    hanging.fault("hang", method="GET /")
    began = timezone.now()
    probe_servers()
    assert timezone.now() - began < timedelta(seconds=12)  # two rounds of 2 s, and 3 s between
    assert [word(row, 60) for row in rows] == ["down", "down", "up"]
    assert told == [("went_down", [rows[0].pk, rows[1].pk])]
    assert well.probes == 1
    # Who is known to be down is asked once a round.
    before = hanging.probes
    probe_servers()
    assert hanging.probes == before + 1


def test_one_answer_that_got_lost_brings_no_server_down(
    west: Server, fake_livekit: Any, told: list[Any]
) -> None:
    fake = fake_livekit()
    Server.objects.update(endpoint=fake.url, api_url=fake.api_url)
    fake.fault("plain_500", method="GET /", times=1)
    probe_servers()
    assert word(west) == "up"
    assert west.failures == 0
    assert fake.probes == 2
    assert told == []


def test_a_stuck_loop_of_ours_says_nothing_of_anybody(
    west: Server, monkeypatch: pytest.MonkeyPatch, told: list[Any]
) -> None:
    monkeypatch.setattr(probes, "DEADLINE", 0.1)
    stuck = Event()
    loop_thread().loop.call_soon_threadsafe(stuck.wait)
    try:
        for _ in range(2):
            with pytest.raises(ServiceUnavailable, match="No server was asked"):
                probes.probe()
        assert [found.ok for found in trial.run(west)] == [False]
    finally:
        stuck.set()
    west.refresh_from_db()
    assert (west.failures, west.probed_at, west.down_since, told) == (0, None, None, [])


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_writes_keeps_no_other_from_being_told(told: list[Any]) -> None:
    region("us-west")
    rows = [server("us-west", slug, failures=1, probed_at=after(-9)) for slug in "abc"]
    with hold_row(rows[1]):
        seen = {row.pk: DOWN for row in rows}
        with pytest.raises(OperationalError):
            health.probed(seen, begun_at=after(0), now=after(1))
    assert told == [("went_down", [rows[0].pk, rows[2].pk])]
    assert word(rows[1]) == "up"


@pytest.mark.django_db(transaction=True)
def test_however_many_see_the_second_failure_one_tells_of_it(told: list[Any]) -> None:
    region("us-west")
    row, start = server("us-west"), Barrier(6)
    probe(row, DOWN, 0)

    def see(_: int) -> tuple[int, ...]:
        start.wait()
        try:
            return probe(row, DOWN, 10, took=0.5).down
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(see, range(6)))
    assert sorted(seen) == [()] * 5 + [(row.pk,)]
    assert word(row) == "down"
    assert row.failures == 2
    assert told == [("went_down", [row.pk])]
