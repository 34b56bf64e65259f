"""Where everything listens: ten ports in a row, PORT first, so that copies run side by side."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from fluxer.local.errors import LocalError

HOST = "127.0.0.1"
COPY = 10  # ports of one copy


@dataclass(frozen=True)
class LiveKitPorts:
    """One media server: `http` for signals and the API, `udp` for media."""

    http: int
    udp: int

    @classmethod
    def free(cls) -> "LiveKitPorts":
        """Two that nobody uses now."""
        return cls(http=free_port(), udp=free_port(socket.SOCK_DGRAM))


@dataclass(frozen=True)
class Ports:
    """The ports of one copy, all derived from `web`."""

    web: int

    @classmethod
    def from_text(cls, text: str) -> "Ports":
        """Raises LocalError for what is no port, or leaves no room for the other nine."""
        if text.isascii() and text.isdigit() and 1024 <= int(text) <= 65536 - COPY:
            return cls(int(text))
        raise LocalError(f"PORT is {text!r}: give a number from 1024 to {65536 - COPY}.")

    @property
    def postgres(self) -> int:
        return self.web + 1

    @property
    def redis(self) -> int:
        return self.web + 2

    def livekit(self, index: int) -> LiveKitPorts:
        first = self.web + 3 + 3 * index
        return LiveKitPorts(http=first, udp=first + 2)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody uses now; the system gives each of them out rarely."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def in_use(port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Whether somebody listens there. A connection that has just ended does not count."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def require_free(ports: Ports, *, postgres: bool, redis: bool, livekit_servers: int) -> None:
    """Raise LocalError for the first port that something else uses."""
    for name, port, kind in _needed(ports, postgres, redis, livekit_servers):
        if in_use(port, kind):
            raise LocalError(
                f"Port {port} ({name}) is in use: stop what listens there, "
                f"or take other ports with PORT={_elsewhere(ports.web)} make run."
            )


def _needed(
    ports: Ports, postgres: bool, redis: bool, livekit_servers: int
) -> Iterator[tuple[str, int, socket.SocketKind]]:
    yield "web", ports.web, socket.SOCK_STREAM
    if postgres:
        yield "PostgreSQL", ports.postgres, socket.SOCK_STREAM
    if redis:
        yield "Redis", ports.redis, socket.SOCK_STREAM
    for index in range(livekit_servers):
        media = ports.livekit(index)
        yield "LiveKit", media.http, socket.SOCK_STREAM
        yield "LiveKit media", media.udp, socket.SOCK_DGRAM


def _elsewhere(web: int) -> int:
    return web + 2 * COPY if web + 3 * COPY <= 65536 else web - 2 * COPY
