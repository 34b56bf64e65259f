"""PostgreSQL goes and comes back: 503 in the envelope meanwhile, and nobody restarts anything."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from django.contrib.auth.models import User as Staff
from django.db import connection, connections
from django.test import Client

from fluxer.directory.models import User
from fluxer.errors import ServiceUnavailable

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.api.urls"),
    pytest.mark.slow,
]


class Wire:
    """A way to PostgreSQL that can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._there, self._cut = (host, port), False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._ends: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
                if self._cut:
                    here.close()
                    continue
                there = socket.create_connection(self._there)
            except OSError:
                return
            self._ends += [here, there]
            for pair in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with source, target, suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def cut(self) -> None:
        self._cut = True
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def mend(self) -> None:
        self._cut = False

    def divert(self, there: tuple[str, int]) -> None:
        """Lead to another place from now on."""
        self._there, self._cut = there, False

    def close(self) -> None:
        self.cut()
        self._listener.close()


@pytest.fixture
def wire(alice: User) -> Iterator[Wire]:
    """Other threads' connections, pooled ones too, go over this wire; this thread's do not."""
    pooled: Any = connection
    known: dict[str, Any] = connections.settings["default"]
    before = known["HOST"], known["PORT"]
    wire = Wire(before[0] or "127.0.0.1", int(before[1] or 5432))
    pooled.close_pool()
    known["HOST"], known["PORT"] = "127.0.0.1", wire.port
    yield wire
    connection.close()
    pooled.close_pool()
    known["HOST"], known["PORT"] = before
    wire.close()


@pytest.fixture
def ask(live_server: Any, bearer: Callable[..., dict[str, str]]) -> Callable[[str], Any]:
    """A request over a real socket: status, headers, JSON."""
    address, headers = (live_server.thread.host, live_server.thread.port), bearer()

    def ask(path: str) -> Any:
        caller = http.client.HTTPConnection(*address, timeout=20)
        try:
            caller.request("GET", path, headers=headers)
            answer = caller.getresponse()
            return answer.status, dict(answer.getheaders()), json.loads(answer.read())
        finally:
            caller.close()

    return ask


def assert_unavailable(answer: Any) -> None:
    status, headers, body = answer
    assert status == 503, body
    assert body["code"] == "SERVICE_UNAVAILABLE"
    assert headers["Retry-After"] == str(body["retry_after"])
    assert headers["X-Request-ID"]


def until_served(ask: Callable[[str], Any], path: str, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while (status := ask(path)[0]) != 200:
        assert status == 503
        assert time.monotonic() < end, "it did not recover"
        time.sleep(0.1)


@pytest.mark.parametrize("path", ["/test/whoami", "/test/bare"])
def test_the_connection_breaks_and_mends(wire: Wire, ask: Callable[[str], Any], path: str) -> None:
    assert ask(path)[0] == 200
    wire.cut()
    assert_unavailable(ask(path))
    assert_unavailable(ask(path))
    assert ask("/healthz")[0] == 200
    status, _, body = ask("/readyz")
    assert (status, body["checks"]["postgresql"]) == (503, "away")
    wire.mend()
    until_served(ask, path)
    until_served(ask, "/readyz")


def test_pages_for_staff_say_it_in_words(wire: Wire, live_server: Any) -> None:
    staff = Staff.objects.create_superuser("root", password="not asked for here")
    browser = Client()
    browser.force_login(staff)
    headers = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}

    def look() -> tuple[http.client.HTTPResponse, str]:
        address = live_server.thread.host, live_server.thread.port
        with closing(http.client.HTTPConnection(*address, timeout=20)) as caller:
            caller.request("GET", "/admin/regions/server/", headers=headers)
            answer = caller.getresponse()
            return answer, answer.read().decode()

    assert look()[0].status == 200
    wire.cut()
    answer, page = look()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert ServiceUnavailable.message in page
    assert answer.headers["X-Request-ID"] in page


def test_a_server_that_hangs_is_reported_in_time(
    wire: Wire, live_server: Any, ask: Callable[[str], Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as deaf:
        wire.cut()
        wire.divert(deaf.getsockname())
        began = time.monotonic()
        status, _, body = ask("/readyz")
        assert (status, body["checks"]["postgresql"]) == (503, "away")
        assert time.monotonic() - began < 2.5


def test_the_server_ends_all_connections(alice: User, ask: Callable[[str], Any]) -> None:
    assert ask("/test/whoami")[0] == 200
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    until_served(ask, "/test/whoami", seconds=5)
