"""`make soak`: every fault at its full length, on real media servers; prints the table."""

import argparse
import os
import re
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from fluxer.local.ports import free_port
from fluxer.local.postgres import Postgres
from tests import services


class Database:
    """A PostgreSQL that forgets nothing, to be stopped and started."""

    def __init__(self, stack: ExitStack) -> None:
        self._place = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="fluxer-soak-database-"))
        )
        self._place.chmod(0o711)  # PostgreSQL may run as another user
        self._port, self._password = free_port(), secrets.token_urlsafe(16)
        self.running = self._run()
        stack.callback(self.stop)

    def _run(self) -> Postgres:
        return Postgres(
            data=self._place / "postgres",
            port=self._port,
            password=self._password,
            log=self._place / "postgres.log",
            pids=self._place / "pids",
            max_connections=300,
        )

    def stop(self) -> None:
        self.running.stop()

    def start(self) -> None:
        self.running = self._run()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose names match this")
    parser.add_argument("--logs", type=Path, help="keep the product's logs in this directory")
    wish = parser.parse_args()
    with ExitStack() as stack:
        database = Database(stack)
        os.environ["TEST_DATABASE_URL"] = database.running.url
        services.start(stack)
        import django

        django.setup()
        from django.test.utils import setup_databases

        setup_databases(verbosity=0, interactive=False)  # the server ends with its data
        with ExitStack() as inner:
            directory = wish.logs or Path(
                inner.enter_context(tempfile.TemporaryDirectory(prefix="fluxer-soak-"))
            )
            directory.mkdir(parents=True, exist_ok=True)
            return _run(inner, directory, wish.only, database)


def _run(stack: ExitStack, directory: Path, only: str, database: Database) -> int:
    from django.db import connections

    from tests.faults.soak_faults import FAULTS
    from tests.faults.world import World

    stack.callback(connections.close_all)
    world, broken = World(stack, directory, database=database), 0
    print("| fault | must hold | seen |\n| --- | --- | --- |", flush=True)
    for name, promise, fault in FAULTS:
        if not re.search(only, name):
            continue
        began = time.monotonic()
        try:
            seen = fault(world)
        except Exception as error:  # the others still have their turn
            seen, broken = f"**BROKEN**: {type(error).__name__}: {error}", broken + 1
        print(f"| {name} | {promise} | {seen} |", flush=True)
        print(f"  ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    print(f"broken: {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
