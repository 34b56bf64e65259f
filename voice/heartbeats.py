"""When beat, and a worker of each queue, last did something. The only module that writes Heartbeat.

Beat writes its own when it is about to ask for a task; a worker writes that of the queue whose task
it begins. So each shows that it does what it is there for, and nobody else can show it.
"""

import logging
import time
from datetime import datetime
from typing import Any

from celery import signals
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from voice.models import Heartbeat

log = logging.getLogger(__name__)

BEAT = "beat"
QUEUES = ("now", "sweep")
EVERY = 10.0  # seconds between two writes of one process

_next: dict[str, float] = {}  # when this process writes again, on its monotonic clock
_is_beat = False


def write(name: str, *, now: datetime) -> None:
    """It lives; an older moment than the one known is no news."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO voice_heartbeat (name, heard_at) VALUES (%s, %s)
            ON CONFLICT (name) DO UPDATE SET heard_at = excluded.heard_at
            WHERE voice_heartbeat.heard_at < excluded.heard_at
            """,
            [name, now],
        )


def read() -> dict[str, datetime]:
    """By name; the migration that made the table began the time of each."""
    return dict(Heartbeat.objects.values_list("name", "heard_at"))


@signals.beat_init.connect(weak=False)
@signals.beat_embedded_init.connect(weak=False)
def _this_is_beat(**kwargs: Any) -> None:
    global _is_beat
    _is_beat = True


@signals.before_task_publish.connect(weak=False)
def _beat_asks(**kwargs: Any) -> None:
    if _is_beat and _is_time(BEAT):
        _show(BEAT)
        connection.close()


@signals.task_prerun.connect(weak=False)
def _worker_begins(task: Any = None, **kwargs: Any) -> None:
    queue = (task.request.delivery_info or {}).get("routing_key")
    if queue in QUEUES and _is_time(queue):
        _show(queue)


def _is_time(name: str) -> bool:
    if time.monotonic() < _next.get(name, 0.0):
        return False
    _next[name] = time.monotonic() + EVERY
    return True


def _show(name: str) -> None:
    try:
        write(name, now=timezone.now())
    except (DatabaseError, InterfaceError) as error:
        log.warning("no sign of life of %s: %s", name, type(error).__name__)
