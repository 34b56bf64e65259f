"""Telling the worker, after commit. Only a faster clock: beat finds what a lost message meant.

A broker that is away must not fail a request, nor hold it up: no retry, half-second deadlines,
and for two seconds after a failure nothing is tried at all.
"""

import logging
import time
from functools import partial
from typing import Any

from django.db import transaction
from kombu import pools

from fluxer.celery import app

log = logging.getLogger(__name__)

_DEADLINE = 0.5
_PAUSE = 2.0
_quiet_until = 0.0


def after_commit(task: str, *args: Any, countdown: float | None = None) -> None:
    """Publish a task by name once the transaction has committed, or now if there is none."""
    transaction.on_commit(partial(_publish, task, args, countdown), robust=True)


def _publish(task: str, args: tuple[Any, ...], countdown: float | None) -> None:
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        with pools.producers[_connection()].acquire(block=True, timeout=_DEADLINE) as producer:
            app.send_task(
                task,
                args,
                countdown=countdown,
                queue="now",
                producer=producer,
                retry=False,
                ignore_result=True,
            )
    except Exception as error:
        _quiet_until = time.monotonic() + _PAUSE
        log.warning("broker away (%s): beat will find %s", type(error).__name__, task)


def _connection() -> Any:
    """A connection of its own: the worker's waits longer than a request may."""
    options = {
        **app.conf.broker_transport_options,
        "socket_connect_timeout": _DEADLINE,
        "socket_timeout": _DEADLINE,
        "max_retries": 0,
    }
    return app.connection_for_write(transport_options=options)
