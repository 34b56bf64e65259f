"""What we know of each server's health. The only module that writes those columns of Server.

Every write is one conditional UPDATE: probes, requests that saw a call fail and the sweep may
report at the same time, in any order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Case, F, Q, QuerySet, Value, When

from fluxer.directory.changes import Hook
from fluxer.livekit import ProbeResult
from regions.models import Server

log = logging.getLogger(__name__)

WEBHOOK_WRITES = timedelta(seconds=10)  # at most one write in this time, however many come
ERROR_LENGTH = 200
APART = timedelta(seconds=2)  # two failures in a row; sooner, it is the same one seen twice
# A probe written further ahead of now is of a clock that was set back since.
AHEAD = timedelta(minutes=1)

# (server_ids, now): these servers went down, after the second failure in a row. Called after the
# mark is written, outside of its transaction; a failure is logged and undoes nothing.
went_down = Hook()
# (server_ids, now): these servers answer again.
came_back = Hook()


@dataclass(frozen=True, slots=True)
class Changed:
    """What a round of probes brought about, as ids of servers."""

    down: tuple[int, ...] = ()
    back: tuple[int, ...] = ()


def probed(results: Mapping[int, ProbeResult], *, begun_at: datetime, now: datetime) -> Changed:
    """Write down what a round of probes saw, by server id, and tell the hooks who went or came.

    A round that was begun before the last one written had ended is old news: of two that overlap,
    only one counts, and one outage is not counted twice. DatabaseError, at the end, if one of them
    could not be written.
    """
    failure: DatabaseError | None = None
    down: list[int] = []
    back: list[int] = []
    for pk, result in results.items():
        write, changed = (_answered, back) if result.ok else (_failed, down)
        try:
            if write(pk, result, begun_at, now):
                changed.append(pk)
        except DatabaseError as error:  # one row that somebody holds keeps no other from being told
            failure = error
    _tell(went_down, down, now)
    _tell(came_back, back, now)
    if failure is not None:
        raise failure
    return Changed(tuple(down), tuple(back))


def doubted() -> QuerySet[Server]:
    """Believed up, though the last probe failed: another failure makes them down."""
    return Server.objects.filter(down_since=None, failures__gte=1)


def usable(*, now: datetime) -> QuerySet[Server]:
    """Those that could take a new room of somebody."""
    trusted = Q(suspect_until=None) | Q(suspect_until__lte=now)
    return Server.objects.filter(
        trusted, is_active=True, is_draining=False, down_since=None, failing_since=None
    )


def _failed(server_id: int, result: ProbeResult, begun_at: datetime, now: datetime) -> bool:
    """Whether this was the failure that made the server down."""
    news = {"probed_at": now, "probe_ms": None, "last_error": (result.error or "")[:ERROR_LENGTH]}
    rows = _not_probed_since(server_id, begun_at, now)
    is_apart = Q(probed_at__lte=begun_at - APART) | Q(probed_at__gt=begun_at)
    second = rows.filter(is_apart, down_since=None, failures__gte=1)
    if second.update(failures=F("failures") + 1, down_since=now, **news):
        return True
    # What is seen too soon after the first failure is that one again, and dates nothing anew.
    rows.exclude(down_since=None, failures__gte=1).update(failures=F("failures") + 1, **news)
    return False


def _answered(server_id: int, result: ProbeResult, begun_at: datetime, now: datetime) -> bool:
    """Whether the server was down until now."""
    meanwhile = Q(
        suspect_until__gte=begun_at + _suspicion(),
        suspect_until__lte=begun_at + _suspicion() + AHEAD,
    )
    still_suspect = When(meanwhile, then=F("suspect_until"))
    news: dict[str, Any] = {
        "failures": 0,
        "probed_at": now,
        "probe_ms": round(result.milliseconds, 1),
        # Marked while this probe was under way: the next one will tell.
        "suspect_until": Case(still_suspect, default=Value(None)),
        "last_error": Case(When(failing_since=None, then=Value("")), default=F("last_error")),
    }
    rows = _not_probed_since(server_id, begun_at, now)
    if rows.filter(down_since=None).update(**news):
        return False
    return rows.filter(down_since__isnull=False).update(down_since=None, **news) == 1


def suspect(server_id: int, *, now: datetime) -> None:
    """A call failed: no new rooms until the next probe answers."""
    until = now + _suspicion()
    earlier = Q(suspect_until=None) | Q(suspect_until__lt=until)
    Server.objects.filter(earlier, pk=server_id).update(suspect_until=until)


def failing(server_id: int, *, now: datetime, error: str = "") -> bool:
    """It answers `GET /` but not its API: no new rooms until it does. False: known already."""
    rows = Server.objects.filter(pk=server_id, failing_since=None)
    return rows.update(failing_since=now, last_error=error[:ERROR_LENGTH]) == 1


def api_answers(server_id: int, *, now: datetime) -> bool:
    """Its API answered. True: it had been failing, and the hooks were told that it is back."""
    rows = Server.objects.filter(pk=server_id, failing_since__isnull=False)
    if not rows.update(failing_since=None, last_error=""):
        return False
    _tell(came_back, [server_id], now)
    return True


def webhook_seen(server_id: int, *, now: datetime) -> None:
    """A webhook of this server arrived."""
    # Whoever writes the row is not waited for: the next webhook will do.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE regions_server SET webhook_at = %(now)s WHERE id = (
                SELECT id FROM regions_server WHERE id = %(server)s
                AND (webhook_at IS NULL OR webhook_at <= %(stale)s OR webhook_at > %(now)s)
                FOR NO KEY UPDATE SKIP LOCKED)
            """,
            {"now": now, "server": server_id, "stale": now - WEBHOOK_WRITES},
        )


def state(server: Server, *, now: datetime) -> dict[str, Any]:
    """A server's health in a word, since when, and what the last probe saw."""
    return {**_word(server, now), **{name: getattr(server, name) for name in _PROBE}}


STATES = ("up", "down", "failing", "suspect", "unknown")
_PROBE = ("probed_at", "probe_ms", "last_error")


def _word(server: Server, now: datetime) -> dict[str, Any]:
    if server.down_since is not None:
        return {"state": "down", "since": server.down_since}
    if server.failing_since is not None:
        return {"state": "failing", "since": server.failing_since}
    if server.suspect_until is not None and server.suspect_until > now:
        return {"state": "suspect", "since": server.suspect_until - _suspicion()}
    return {"state": "up" if server.probed_at else "unknown", "since": None}


def _suspicion() -> timedelta:
    """Long enough to last until a probe ends it."""
    return timedelta(seconds=3 * settings.VOICE_PROBE_INTERVAL)


def _not_probed_since(server_id: int, begun_at: datetime, now: datetime) -> QuerySet[Server]:
    is_new = Q(probed_at=None) | Q(probed_at__lte=begun_at) | Q(probed_at__gt=now + AHEAD)
    return Server.objects.filter(is_new, pk=server_id).order_by()


def _tell(hook: Hook, server_ids: Iterable[int], now: datetime) -> None:
    ids = list(server_ids)
    if not ids:
        return
    try:
        hook(server_ids=ids, now=now)
    except Exception:
        log.exception("what follows a change of health failed")
