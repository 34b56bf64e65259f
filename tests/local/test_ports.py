"""Every copy has ten ports of its own, and says plainly when one is taken."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxer.local.errors import LocalError
from fluxer.local.ports import COPY, HOST, Ports, in_use, require_free


def all_of(ports: Ports) -> list[int]:
    media = [ports.livekit(0), ports.livekit(1)]
    each = [number for server in media for number in (server.http, server.udp)]
    return [ports.web, ports.postgres, ports.redis, *each]


@given(st.integers(1024, 65536 - 2 * COPY))
def test_two_copies_ten_apart_share_no_port(web: int) -> None:
    first, second = all_of(Ports(web)), all_of(Ports(web + COPY))
    assert len({*first, *second}) == len(first) + len(second)
    assert max(second) <= 65535


@pytest.mark.parametrize("text", ["", "http", "80", "0", "-1", "65535", "8000.0", "٨٠٠٠"])
def test_a_port_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(LocalError, match=r"^PORT is .*: give a number from 1024 to 65526\.$"):
        Ports.from_text(text)


@pytest.mark.parametrize(
    ("offset", "kind", "name"),
    [
        (0, socket.SOCK_STREAM, "web"),
        (1, socket.SOCK_STREAM, "PostgreSQL"),
        (2, socket.SOCK_STREAM, "Redis"),
        (6, socket.SOCK_STREAM, "LiveKit"),
        (5, socket.SOCK_DGRAM, "LiveKit media"),
    ],
)
def test_a_port_in_use_is_named(
    ten_ports: Ports, offset: int, kind: socket.SocketKind, name: str
) -> None:
    port = ten_ports.web + offset
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind((HOST, port))
        if kind == socket.SOCK_STREAM:
            other.listen()
        with pytest.raises(LocalError) as refusal:
            require_free(ten_ports, postgres=True, redis=True, livekit_servers=2)
    assert str(refusal.value).startswith(f"Port {port} ({name}) is in use: ")
    assert not in_use(port, kind)


def test_the_port_of_what_is_configured_elsewhere_does_not_matter(ten_ports: Ports) -> None:
    with socket.socket() as other:
        other.bind((HOST, ten_ports.postgres))
        other.listen()
        require_free(ten_ports, postgres=False, redis=True, livekit_servers=0)
