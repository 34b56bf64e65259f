"""The product as it runs: web, worker and beat, each a process, on the tests' own database."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from django.db import connection

from fluxer.local import commands
from fluxer.local.configuration import PROJECT
from fluxer.local.ports import free_port
from fluxer.local.processes import Service

POLITE = ((signal.SIGTERM, 4.0),)


class Product:
    """Each part is started, killed and started again as a test likes; all end with `stack`."""

    def __init__(self, directory: Path, stack: ExitStack, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory, self._stack = directory, stack
        server, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        self.environment: dict[str, str] = {
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
            **{name: str(value) for name, value in settings.items()},
        }
        self._runs = 0

    def start(self) -> None:
        """All three parts."""
        self.web()
        self.worker()
        self.beat()

    def web(self) -> Service:
        """A web server that answers."""
        web = self._start("web", commands.web(self.port), farewell=((signal.SIGTERM, 6.0),))
        web.wait_until(lambda: answers(f"{self.url}/healthz"))
        return web

    def worker(self, *, command: Sequence[str | Path] | None = None) -> Service:
        """A worker; it takes its tasks in a second or two."""
        return self._start("worker", command or commands.worker())

    def beat(self) -> Service:
        """Beat, on a schedule of its own."""
        schedule = str(self._directory / f"schedule-{self._runs}")
        return self._start("beat", (*commands.CELERY, "beat", "-s", schedule, "--pidfile="))

    def _start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        farewell: Sequence[tuple[signal.Signals, float]] = POLITE,
        extra: Mapping[str, str] | None = None,
    ) -> Service:
        self._runs += 1
        service = Service(
            f"{name}-{self._runs}",
            command,
            log=self._directory / f"{name}-{self._runs}.log",
            pids=self._directory / "pids",
            farewell=farewell,
            environment={**self.environment, **(extra or {})},
        )
        self._stack.callback(service.stop)
        return service


def answers(url: str) -> bool:
    """Whether anybody says 200 there."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
