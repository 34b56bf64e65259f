"""`python -m fluxer.serve …` in a process of its own."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection

from fluxer.local.ports import free_port

ROOT = Path(__file__).parent.parent.parent


def database_url() -> str:
    """The tests' own database, not the one that it was made beside."""
    found = connection.settings_dict
    user, password = found["USER"], found["PASSWORD"]
    return f"postgres://{user}:{password}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


class Serving:
    """`python -m fluxer.serve …`, and what it wrote."""

    def __init__(self, roles: Sequence[str], log: Path, **environment: str) -> None:
        self.port = free_port()
        self._log = log
        given = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fluxer.serve", *roles],
                cwd=ROOT,
                env={
                    **given,
                    "DATABASE_URL": database_url(),
                    "REDIS_URL": settings.REDIS_URL,
                    "PORT": str(self.port),
                    "WEB_PROCESSES": "1",
                    "WORKER_THREADS": "2",
                    "FLUXER_HEARTBEAT": str(log.parent / "heartbeat"),
                    "STOP_SECONDS": "15",
                    **environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return self.ask("GET", path, None, **headers)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str]:
        """Status and text; 0 when nobody answers."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, OSError):
            return 0, ""

    def wait(self, ready: Callable[[], Any], *, seconds: float = 45) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.2)

    def family(self) -> list[psutil.Process]:
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)
