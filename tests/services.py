"""Real PostgreSQL, Redis and LiveKit for the tests: started before Django reads its settings.

Loaded by `-p tests.services`. The process that was called starts the services; the workers of
a parallel run inherit their addresses, and have a Redis database each.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fluxer.local.errors import LocalError
from fluxer.local.livekit import LiveKit
from fluxer.local.livekit_binary import binary
from fluxer.local.ports import LiveKitPorts, free_port
from fluxer.local.postgres import FORGETFUL, Postgres
from fluxer.local.redis import Redis
from fluxer.local.state import fernet_key, text_secret

# A developer's own configuration must not colour the tests.
OF_NO_CONCERN = (
    "CELERY_BROKER_URL", "FLUXER_AUTH_JWKS_URL", "FLUXER_AUTH_ISSUER", "FLUXER_AUTH_AUDIENCE",
    "LIVEKIT_ALLOWED_HOSTS", "VOICE_DEFAULT_REGION", "CORS_ALLOWED_ORIGINS",
)  # fmt: skip
SECRETS = {
    "DJANGO_SECRET_KEY": text_secret,
    "FIELD_KEYS": fernet_key,
    "FLUXER_AUTH_JWT_KEY": text_secret,
    "FLUXER_SERVICE_TOKEN": text_secret,
    "METRICS_TOKEN": text_secret,
}
LIMITS = tuple(f"RATELIMIT_{of}" for of in ("TOKEN", "STATE", "MODERATION", "READ", "LOGIN"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, Any]:
    """A wrapper runs before pytest-django's own hook, which reads the settings."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        os.environ["REDIS_URL"] = _database_of(worker, os.environ["REDIS_URL"])
    else:
        stack = ExitStack()
        early_config.add_cleanup(stack.close)
        try:
            start(stack)
        except LocalError as problem:
            raise pytest.UsageError(str(problem)) from problem
    return (yield)


def start(stack: ExitStack) -> None:
    """Start what is not given, and say where everything is."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fluxer-tests-")))
    directory.chmod(0o711)  # PostgreSQL may run as another user
    for name in OF_NO_CONCERN:
        os.environ.pop(name, None)
    for name in (*SECRETS, "DATABASE_URL", "REDIS_URL"):
        os.environ.pop(f"{name}_FILE", None)  # a file would win
    os.environ.update({name: make() for name, make in SECRETS.items()})
    os.environ.update(dict.fromkeys(LIMITS, "0"))
    os.environ.update(
        DJANGO_SETTINGS_MODULE="fluxer.settings",
        ALLOWED_HOSTS="127.0.0.1,localhost",
        FLUXER_DEMO="0",
        DATABASE_URL=os.environ.get("TEST_DATABASE_URL") or _postgres(stack, directory),
        REDIS_URL=os.environ.get("TEST_REDIS_URL") or _redis(stack, directory),
    )


def start_django(stack: ExitStack) -> None:
    """The same for a command that is no test: Django, set up, with an empty database of its own."""
    start(stack)
    import django

    django.setup()
    from django.db import connections
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    names = setup_databases(verbosity=0, interactive=False)
    stack.callback(teardown_databases, names, verbosity=0)
    stack.callback(connections.close_all)


def _postgres(stack: ExitStack, directory: Path) -> str:
    server = Postgres(
        data=directory / "postgres",
        port=free_port(),
        password=secrets.token_urlsafe(16),
        log=directory / "logs" / "postgres.log",
        pids=directory / "pids",
        max_connections=300,
        settings=FORGETFUL,
    )
    stack.callback(server.stop)
    return server.url


def _redis(stack: ExitStack, directory: Path) -> str:
    server = Redis(
        data=directory / "redis",
        port=free_port(),
        password=secrets.token_urlsafe(16),
        log=directory / "logs" / "redis.log",
        pids=directory / "pids",
        keep=False,
    )
    stack.callback(server.stop)
    return server.url


def _database_of(worker: str, url: str) -> str:
    """The first database is the caller's own: worker gw0 has the next, and so on."""
    server, _, number = url.rpartition("/")
    return f"{server}/{int(number) + int(worker.removeprefix('gw')) + 1}"


class LiveKitServer:
    """A real media server: `url` (ws), `api_url`, `key`, `secret`, `pid`; it can be killed."""

    def __init__(self, start: Callable[[], LiveKit]) -> None:
        self._start = start
        self._running = start()
        self.url, self.api_url = self._running.url, self._running.api_url
        self.key, self.secret = self._running.key, self._running.secret

    @property
    def pid(self) -> int:
        return self._running.pid

    def kill(self) -> None:
        """End it with kill -9."""
        self._running.kill()

    def stop(self) -> None:
        self._running.stop()

    def restart(self) -> None:
        """The same address, key and secret; every room is forgotten."""
        self._running.stop()
        self._running = self._start()


@pytest.fixture(scope="session")
def livekit_servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., LiveKitServer]]:
    """`livekit_servers(webhook_url, **room_settings)` starts one; all are stopped at the end.

    The first use on a machine without the server builds it: about two minutes.
    """
    binary()
    directory = tmp_path_factory.mktemp("livekit")
    with ExitStack() as stack:

        def start(webhook_url: str, **room: Any) -> LiveKitServer:
            number = secrets.token_hex(4)
            ports, secret = LiveKitPorts.free(), secrets.token_urlsafe(32)

            def run() -> LiveKit:
                return LiveKit(
                    number,
                    directory=directory,
                    ports=ports,
                    key=f"key-{number}",
                    secret=secret,
                    webhook_url=webhook_url,
                    log=directory / f"{number}.log",
                    pids=directory / "pids",
                    room=room,
                )

            server = LiveKitServer(run)
            stack.callback(server.stop)
            return server

        yield start
