"""A real Celery worker, and beat, on the tests' own database and broker."""

import json
import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection

from fluxer.celery import app
from fluxer.local import commands
from fluxer.local.configuration import PROJECT
from fluxer.local.processes import Service

# What the worker's own clock goes by; the web side of a test overrides its settings.
FAST = {"VOICE_PIN_TIMEOUT": "1", "VOICE_SWEEP_INTERVAL": "1"}
POLITE = ((signal.SIGTERM, 5.0),)


class Workers:
    """Started by a test; those that still run at its end are stopped."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack

    def start(self) -> Service:
        """A worker that has taken its first task."""
        worker = self._start("worker", commands.worker())
        app.send_task("voice.tasks.expire_pin", [0], queue="now", ignore_result=True)
        worker.wait_until(lambda: waiting() == 0)
        return worker

    def beat(self) -> Service:
        schedule = str(self._directory / "schedule")
        return self._start("beat", (*commands.CELERY, "beat", "-s", schedule, "--pidfile="))

    def _start(self, name: str, command: Sequence[str | Path]) -> Service:
        server, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        service = Service(
            name,
            command,
            log=self._directory / f"{name}.log",
            pids=self._directory / "pids",
            farewell=POLITE,
            environment={
                **os.environ,
                **FAST,
                "PYTHONPATH": str(PROJECT),
                "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
            },
        )
        self._stack.callback(service.stop)
        return service


def broker() -> "redis.Redis":
    return redis.Redis.from_url(settings.CELERY_BROKER_URL)


def waiting() -> int:
    """The tasks that no worker has taken yet."""
    with broker() as client:
        return int(client.llen("fluxer:now"))


def asked() -> list[tuple[str, str]]:
    """What no worker has taken yet, oldest last: each task and its arguments."""
    with broker() as client:
        headers = [json.loads(message)["headers"] for message in client.lrange("fluxer:now", 0, -1)]
    return [(one["task"], one["argsrepr"]) for one in headers]
