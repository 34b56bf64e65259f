"""The processes of the project itself: the web server, the Celery worker, beat."""

import sys
from collections.abc import Sequence
from pathlib import Path

from fluxer.local.place import Place
from fluxer.local.ports import HOST

# Started as root (in a container, say), Celery would give a paragraph of advice.
_ADVICE = "ignore:You're running the worker with superuser privileges"
CELERY = (sys.executable, "-W", _ADVICE, "-m", "celery", "--quiet", "-A", "fluxer")


def web(port: int) -> Sequence[str]:
    """Two processes with as many threads as database connections: a request may wait for LiveKit.

    Granian warns of more threads than cores; that is meant for threads that compute.
    """
    return (
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", HOST),
        *("--port", str(port), "--workers", "2", "--blocking-threads", "16"),
        *("--log-level", "error", "--no-ws", "fluxer.wsgi:application"),
    )


def worker() -> Sequence[str]:
    return (
        *(*CELERY, "worker", "-Q", "now,sweep,celery", "--pool", "threads", "--concurrency", "16"),
        *("--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
    )


def beat(place: Place) -> Sequence[str | Path]:
    schedule = place.root / "beat-schedule"
    return (*CELERY, "beat", "--loglevel", "WARNING", "--schedule", str(schedule), "--pidfile=")
