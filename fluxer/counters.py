"""What is counted as it happens: requests, tokens, LiveKit calls, webhooks, decisions, tasks.

Never with a user, a channel or a guild in a label. With PROMETHEUS_MULTIPROC_DIR set, every
process of web and worker counts into files there, and whoever is asked adds them up. A process goes
on in the files of one that has ended: no sum falls, and no start adds to the directory. Each has a
label at least: without one a file is made at once, and every health check would leave one behind.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.values import MultiProcessValue, MutexValue

from fluxer.slots import Slots

DIRECTORY = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
# The library would take an empty name for the working directory.
values.ValueClass = MutexValue
if DIRECTORY:
    Path(DIRECTORY).mkdir(parents=True, exist_ok=True)
    values.ValueClass = MultiProcessValue(Slots(Path(DIRECTORY)).name)

REGISTRY = CollectorRegistry()
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120)

# Rules and dashboards are written by these.
CALL_OUTCOMES = ("ok", "gone", "timed_out", "unavailable")
WEBHOOK_OUTCOMES = ("ok", "rejected", "unreadable", "failed")
TASK_OUTCOMES = ("ok", "failed")

requests = Histogram(
    "fluxer_request_seconds",
    "Seconds per request, by route.",
    ["method", "route", "status"],
    buckets=_QUICK,
    registry=REGISTRY,
)
tokens = Counter(
    "fluxer_tokens",
    "Voice tokens asked for, by outcome: ok, or the code of the error.",
    ["outcome"],
    registry=REGISTRY,
)
livekit_calls = Histogram(
    "fluxer_livekit_call_seconds",
    f"Seconds per call to LiveKit, by method and outcome ({', '.join(CALL_OUTCOMES)}).",
    ["method", "outcome"],
    buckets=_QUICK,
    registry=REGISTRY,
)
webhooks = Counter(
    "fluxer_webhooks",
    f"Webhooks of LiveKit, by event and outcome ({', '.join(WEBHOOK_OUTCOMES)}).",
    ["event", "outcome"],
    registry=REGISTRY,
)
decisions = Counter(
    "fluxer_decisions",
    "Who is where, decided: seated, joined, returned, moved, ended and removed (with the reason),"
    " pinned, unpinned, failed_over; and what moderators and staff did.",
    ["decision", "reason"],
    registry=REGISTRY,
)
events_lost = Counter(
    "fluxer_events_lost",
    "Events that did not reach the stream because Redis was away, by type.",
    ["event"],
    registry=REGISTRY,
)
task_lateness = Histogram(
    "fluxer_task_lateness_seconds",
    "Seconds between the moment for which a task was meant and its start.",
    ["task"],
    buckets=_SLOW,
    registry=REGISTRY,
)
task_seconds = Histogram(
    "fluxer_task_seconds",
    f"Seconds that a task took, by outcome ({', '.join(TASK_OUTCOMES)}).",
    ["task", "outcome"],
    buckets=_SLOW,
    registry=REGISTRY,
)


def livekit_called(method: str, outcome: str, seconds: float) -> None:
    """An observer of `fluxer.livekit`."""
    livekit_calls.labels(method, outcome).observe(seconds)


@contextmanager
def webhook(event: str) -> Iterator[None]:
    """Count a webhook by how the block ends."""
    try:
        yield
    except BaseException:
        webhooks.labels(event, "failed").inc()
        raise
    webhooks.labels(event, "ok").inc()
