"""The whole product as processes: web, worker and beat, on a database and a Redis of their own."""

import os
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg

from fluxer.local import commands
from fluxer.local.configuration import PROJECT
from fluxer.local.ports import HOST, free_port
from fluxer.local.processes import Service
from fluxer.local.redis import Redis

POLITE = ((signal.SIGTERM, 5.0),)


class Product:
    """Running, at `url`. Nothing of it is in the tests' process."""

    def __init__(self, directory: Path, stack: ExitStack, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._directory = directory
        self._stack = stack
        server, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.e2e.settings",
            "PYTHONPATH": str(PROJECT),
            "DATABASE_URL": f"{server}/{self._database(server)}",
            "REDIS_URL": self._redis(),
            **{name: str(value) for name, value in settings.items()},
        }

    def start(self) -> None:
        """Make the tables and start everything; returns when the web server answers."""
        self.manage("migrate", "--verbosity", "0")
        schedule = self._directory / "beat-schedule"
        beat = (*commands.CELERY, "beat", "--schedule", str(schedule), "--pidfile=")
        self._start("worker", commands.worker())
        self._start("beat", beat)
        web = self._start("web", commands.web(self.port))
        web.wait_until(self._answers)

    def manage(self, *command: str) -> None:
        """Run a command of manage.py on its database."""
        subprocess.run(
            [sys.executable, "manage.py", *command],
            env=self._environment,
            cwd=PROJECT,
            check=True,
        )

    def _start(self, name: str, command: Sequence[str | Path]) -> Service:
        service = Service(
            name,
            command,
            log=self._directory / f"{name}.log",
            pids=self._directory / "pids",
            farewell=POLITE,
            environment=self._environment,
        )
        self._stack.callback(service.stop)
        return service

    def _database(self, server: str) -> str:
        """A new database, which goes with the product."""
        name = f"e2e_{secrets.token_hex(4)}"
        _tell(server, f"CREATE DATABASE {name}")
        self._stack.callback(_tell, server, f"DROP DATABASE {name} WITH (FORCE)")
        return name

    def _redis(self) -> str:
        server = Redis(
            data=self._directory / "redis",
            port=free_port(),
            password=secrets.token_urlsafe(16),
            log=self._directory / "redis.log",
            pids=self._directory / "pids",
            keep=False,
        )
        self._stack.callback(server.stop)
        return server.url

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _tell(server: str, statement: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(statement)
