"""What a task carries along: the request that caused it, and the moment it was meant for.

Both travel in the message's headers, whoever sends it: a request, another task, beat. Besides, a
worker that is asked to (FLUXER_HEARTBEAT names a file) shows that it lives.
"""

import os
import time
from contextvars import Token
from datetime import datetime
from pathlib import Path
from typing import Any

from celery import signals

from fluxer import counters, logs

_REQUEST, _MEANT = "fluxer_request_id", "fluxer_meant_at"


@signals.before_task_publish.connect(weak=False)
def pack(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    """Put it into the message."""
    if headers is not None:
        eta = headers.get("eta")
        headers[_REQUEST] = logs.request_id.get()
        headers[_MEANT] = datetime.fromisoformat(eta).timestamp() if eta else time.time()


@signals.task_prerun.connect(weak=False)
def unpack(task: Any = None, task_id: str = "", **kwargs: Any) -> None:
    """Log in the name of the request from now on; a task that beat sent has an id of its own."""
    caused_by = task.request.get(_REQUEST) or "-"
    token = logs.request_id.set(task_id if caused_by == "-" else caused_by)
    now, meant = time.time(), task.request.get(_MEANT)
    if meant is not None:
        counters.task_lateness.labels(task.name).observe(max(0.0, now - meant))
    task.request.fluxer_errand = (token, time.perf_counter())


@signals.task_postrun.connect(weak=False)
def put_down(task: Any = None, state: str | None = None, **kwargs: Any) -> None:
    """The next task is somebody else's."""
    errand: tuple[Token[str], float] | None = task.request.get("fluxer_errand")
    if errand is None:
        return
    token, began = errand
    outcome = "failed" if state == "FAILURE" else "ok"
    counters.task_seconds.labels(task.name, outcome).observe(time.perf_counter() - began)
    logs.request_id.reset(token)


@signals.setup_logging.connect(weak=False)
def leave_alone(**kwargs: Any) -> None:
    """Celery would set the root logger's level, and so silence every decision in the worker."""


@signals.heartbeat_sent.connect(weak=False)
def show_life(**kwargs: Any) -> None:
    """Every two seconds, while the worker reaches its broker."""
    if file := os.environ.get("FLUXER_HEARTBEAT"):
        Path(file).touch()
