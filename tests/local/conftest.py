"""Places for a copy of its own: ten free ports, and a directory that PostgreSQL can enter."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxer.local.errors import LocalError
from fluxer.local.ports import Ports, free_port, require_free


@pytest.fixture
def ten_ports() -> Ports:
    """Ten in a row that nobody uses now."""
    for _ in range(100):
        ports = Ports(min(free_port(), 65000))
        try:
            require_free(ports, postgres=True, redis=True, livekit_servers=2)
        except LocalError:
            continue
        return ports
    pytest.fail("no ten free ports in a row")


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """pytest's own temporary directories are closed to the user that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="fluxer-run-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)
