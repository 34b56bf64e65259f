"""Real PostgreSQL and Redis: they start, keep what they are told, and leave nothing behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis as Client

from fluxer.local import leftovers
from fluxer.local.errors import LocalError
from fluxer.local.ports import free_port
from fluxer.local.postgres import FORGETFUL, Postgres
from fluxer.local.processes import Service
from fluxer.local.redis import Redis


def start_postgres(run_dir: Path) -> Postgres:
    return Postgres(
        data=run_dir / "postgres",
        port=free_port(),
        password="a-password",
        log=run_dir / "postgres.log",
        pids=run_dir / "pids",
        settings=FORGETFUL,
    )


def start_redis(run_dir: Path) -> Redis:
    return Redis(
        data=run_dir / "redis",
        port=free_port(),
        password="a-password",
        log=run_dir / "redis.log",
        pids=run_dir / "pids",
    )


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def gone(processes: list[psutil.Process], *, seconds: float = 10) -> bool:
    """Whether they have all ended, or do within this time."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def test_postgres_keeps_its_data_and_leaves_no_process(run_dir: Path) -> None:
    server = start_postgres(run_dir)
    processes = family(server.pid)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    server.stop()
    assert gone(processes)

    server = start_postgres(run_dir)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        assert connection.execute("SHOW max_connections").fetchone() == ("200",)
    server.stop()
    server.stop()  # again: nothing happens


def test_postgres_asks_for_the_password(run_dir: Path) -> None:
    server = start_postgres(run_dir)
    try:
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace("a-password", "another"))
    finally:
        server.stop()


def test_data_of_another_postgres_is_left_alone(run_dir: Path) -> None:
    (run_dir / "postgres").mkdir()
    (run_dir / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(LocalError, match=r"is of PostgreSQL 12: move it away\.$"):
        start_postgres(run_dir)


def test_a_database_that_cannot_start_says_so_in_one_line(run_dir: Path) -> None:
    start_postgres(run_dir).stop()
    (run_dir / "postgres" / "postgresql.conf").write_text("nonsense = yes\n")
    with pytest.raises(LocalError, match=r"^PostgreSQL did not start") as refusal:
        start_postgres(run_dir)
    assert "\n" not in str(refusal.value)


def test_redis_keeps_a_queue_and_leaves_no_process(run_dir: Path) -> None:
    server = start_redis(run_dir)
    processes = family(server.pid)
    with Client.from_url(server.url) as client:
        client.rpush("queue", "settle")
    server.stop()
    assert gone(processes)

    server = start_redis(run_dir)
    with Client.from_url(server.url) as client:
        assert client.lrange("queue", 0, -1) == [b"settle"]
    server.stop()


def sleeper(run_dir: Path) -> Service:
    return Service(
        "sleeper",
        [sys.executable, "-c", "import time; time.sleep(600)"],
        log=run_dir / "sleeper.log",
        pids=run_dir / "pids",
        farewell=((signal.SIGTERM, 5.0),),
    )


def test_what_a_killed_run_left_is_ended_by_the_next(run_dir: Path) -> None:
    left = sleeper(run_dir)
    assert leftovers.end_all(run_dir / "pids") == ["sleeper"]
    assert not left.runs()
    assert leftovers.end_all(run_dir / "pids") == []


def test_a_process_that_only_has_the_same_number_is_spared(run_dir: Path) -> None:
    stranger = sleeper(run_dir)
    record = next((run_dir / "pids").glob("*.json"))
    record.write_text(f'{{"pid": {stranger.pid}, "started": 1.0}}')
    try:
        assert leftovers.end_all(run_dir / "pids") == []
        assert stranger.runs()
        assert not record.exists()
    finally:
        stranger.stop()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 999999999}'])
def test_a_broken_record_is_forgotten(run_dir: Path, text: str) -> None:
    record = run_dir / "pids" / "web.json"
    record.parent.mkdir()
    record.write_text(text)
    assert leftovers.end_all(run_dir / "pids") == []
    assert not record.exists()


CRASHING = """
import os, signal, sys
from pathlib import Path
from tests.local.test_services import start_{name}
print(start_{name}(Path(sys.argv[1])).pid, flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next run ends them")
@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_service_ends_when_its_parent_is_killed(run_dir: Path, name: str) -> None:
    command = [sys.executable, "-c", CRASHING.format(name=name), str(run_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        processes = family(int(parent.stdout.readline()))
        parent.kill()
    assert gone(processes)


def test_what_never_answers_is_not_left_running(run_dir: Path) -> None:
    service = sleeper(run_dir)
    begun = time.monotonic()
    with pytest.raises(LocalError, match=r"^sleeper did not start"):
        service.wait_until(lambda: False, seconds=0.2)
    assert time.monotonic() - begun < 5
    assert not service.runs()
