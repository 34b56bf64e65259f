"""Is this process alive, and could it serve? Nobody waits longer than `DEADLINE` for the answer."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry

from fluxer.errors import ServiceUnavailable
from regions.checks import usable_server_exists

log = logging.getLogger(__name__)

DEADLINE = 2.0  # seconds for all checks together: they run at the same time
NO_SERVER = "No voice server could take a room: every join is answered with 503."
NO_REDIS = "Redis is away: nothing is rate limited, and rooms are settled more slowly."


class Check:
    """A check in a thread of its own. Those who ask while it runs share its result."""

    def __init__(self, function: Callable[[], dict[str, Any]]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._running: Future[dict[str, Any]] | None = None

    def begin(self) -> "Future[dict[str, Any]]":
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                threading.Thread(target=self._run, args=(self._running,), daemon=True).start()
            return self._running

    def _run(self, result: "Future[dict[str, Any]]") -> None:
        try:
            result.set_result(self._function())
        except Exception as error:
            result.set_exception(error)
        finally:
            connection.close()


def ask_postgresql() -> dict[str, Any]:
    """The migrations that are lacking, and whether any server could take a room."""
    applied = MigrationRecorder(connection).applied_migrations()
    unapplied = len(_migrations() - applied.keys())
    return {"unapplied": unapplied, "server": not unapplied and usable_server_exists()}


def ask_redis() -> dict[str, Any]:
    """Nothing, or an error."""
    with redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=DEADLINE / 2,
        socket_timeout=DEADLINE / 2,
        retry=Retry(NoBackoff(), 0),
    ) as client:
        client.ping()
    return {}


@lru_cache(maxsize=1)
def _migrations() -> frozenset[tuple[str, str]]:
    """Those that this code brings."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


_postgresql, _redis = Check(ask_postgresql), Check(ask_redis)


def _result(check: "Future[dict[str, Any]]", *, until: float) -> dict[str, Any] | None:
    try:
        return check.result(timeout=max(0.0, until - time.monotonic()))
    except NotYet:
        log.warning("a readiness check did not answer in time")
    except (DatabaseFailure, redis.RedisError, OSError) as error:
        log.warning("a readiness check failed: %s", type(error).__name__)
    return None


def readiness() -> tuple[bool, dict[str, str], list[str]]:
    """Whether requests can be served, the state of each part, and what is wrong besides.

    Without PostgreSQL, or with its tables out of date, nothing works. Without Redis or a voice
    server everything else still does: they are warnings, so that no balancer takes us out.
    """
    until = time.monotonic() + DEADLINE
    asked = _postgresql.begin(), _redis.begin()
    database, redis_answer = (_result(check, until=until) for check in asked)
    unapplied = database["unapplied"] if database else None
    checks = {
        "postgresql": "ok" if database else "away",
        "redis": "away" if redis_answer is None else "ok",
        "migrations": {None: "unknown", 0: "ok"}.get(unapplied, f"{unapplied} unapplied"),
    }
    warnings = [] if redis_answer is not None else [NO_REDIS]
    if unapplied == 0 and database and not database["server"]:
        warnings.append(NO_SERVER)
    return unapplied == 0, checks, warnings


@csrf_exempt
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """`/healthz`: this process answers. Touches nothing."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """`/readyz`: 200, with warnings if there are any, or 503 in the envelope."""
    ready, checks, warnings = readiness()
    if ready:
        status = "degraded" if warnings else "ok"
        return JsonResponse({"status": status, "checks": checks, "warnings": warnings})
    error = ServiceUnavailable("Not ready to serve; see checks", retry_after=5)
    body = {**error.body(), "checks": checks, "warnings": warnings}
    return JsonResponse(body, status=error.status, headers=error.headers())
