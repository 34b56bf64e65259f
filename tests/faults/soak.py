"""`make soak`: every fault at its full length, on real media servers; prints the table."""

import argparse
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import psutil

from fluxer.local.ports import free_port
from fluxer.local.postgres import Postgres
from fluxer.local.redis import Redis
from tests import services


class Store:
    """Something that we keep things in, with an address of its own: killed, and started again."""

    def __init__(self, stack: ExitStack, run: Callable[[], Postgres | Redis]) -> None:
        self._run, self.running = run, run()
        stack.callback(lambda: self.running.stop())

    def kill(self) -> None:
        """With kill -9, and its children too: PostgreSQL's have sessions of their own."""
        parent = psutil.Process(self.running.pid)
        children = parent.children(recursive=True)
        self.running.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=10)

    def start(self) -> None:
        self.running = self._run()


def stores(stack: ExitStack) -> tuple[Store, Store]:
    """A PostgreSQL that forgets nothing, and a Redis that forgets everything."""
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fluxer-soak-stores-")))
    place.chmod(0o711)  # PostgreSQL may run as another user
    pids, password = place / "pids", secrets.token_urlsafe(16)
    postgres = partial(
        Postgres,
        data=place / "postgres",
        port=free_port(),
        password=password,
        log=place / "postgres.log",
        pids=pids,
        max_connections=300,
    )
    redis = partial(
        Redis,
        data=place / "redis",
        port=free_port(),
        password=password,
        log=place / "redis.log",
        pids=pids,
        keep=False,
    )
    return Store(stack, postgres), Store(stack, redis)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose names match this")
    parser.add_argument("--logs", type=Path, help="keep the product's logs in this directory")
    wish = parser.parse_args()
    with ExitStack() as stack:
        postgres, redis = stores(stack)
        os.environ["TEST_DATABASE_URL"] = postgres.running.url
        os.environ["TEST_REDIS_URL"] = redis.running.url
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
            return _run(inner, directory, wish.only, postgres=postgres, redis=redis)


def _run(stack: ExitStack, directory: Path, only: str, *, postgres: Store, redis: Store) -> int:
    from django.db import connections

    from tests.faults.soak_faults import FAULTS
    from tests.faults.world import World

    stack.callback(connections.close_all)
    world, broken = World(stack, directory, postgres=postgres, redis=redis), 0
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
