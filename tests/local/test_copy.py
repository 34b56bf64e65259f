"""`make run` as a stranger sees it: one command, a banner, an answer, and nothing left behind."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from fluxer.local.configuration import PROJECT, SECRETS
from fluxer.local.livekit_binary import binary
from fluxer.local.ports import HOST, Ports
from fluxer.local.state import State

STARTS_WITHIN = 120  # two processors may be shared with the other tests


class Copy:
    """A `python -m fluxer.local` in a terminal of its own."""

    def __init__(self, environment: dict[str, str], output: Path) -> None:
        self.output = output
        self.environment = environment
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fluxer.local", "run"],
                cwd=PROJECT, env=environment, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while words not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, sign: signal.Signals) -> int:
        self.process.send_signal(sign)
        return self.process.wait(60)


@pytest.fixture
def start(ten_ports: Ports, run_dir: Path) -> Iterator[Callable[..., Copy]]:
    """`start(**environment)`: a copy that is configured by nothing but its place."""
    binary()
    with ExitStack() as stack:

        def begin(**environment: str) -> Copy:
            configured = {*SECRETS, "DATABASE_URL", "REDIS_URL", "FLUXER_DEMO"}
            inherited = {k: v for k, v in os.environ.items() if k not in configured}
            own = {"PORT": str(ten_ports.web), "RUN_DIR": str(run_dir / "run")}
            copy = Copy({**inherited, **own, **environment}, run_dir / f"said-{time.monotonic()}")
            stack.callback(copy.process.wait, 60)
            stack.callback(copy.process.terminate)
            return copy

        yield begin


def get(ports: Ports, path: str) -> int:
    with urllib.request.urlopen(f"http://{HOST}:{ports.web}{path}", timeout=5) as answer:
        return int(answer.status)


def left_of(processes: list[psutil.Process]) -> list[str]:
    # A web process that is told to stop while it still starts is killed after 22 s.
    _, alive = psutil.wait_procs(processes, timeout=40)
    left = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    return [f"{process.cmdline()} has {process.num_threads()} threads" for process in left]


def listened_on(processes: list[psutil.Process]) -> set[str]:
    """The addresses on which these processes can be reached."""
    return {
        socket_.laddr.ip
        for process in processes
        for socket_ in process.net_connections("inet")
        if socket_.status == psutil.CONN_LISTEN or socket_.type == socket.SOCK_DGRAM
    }


@pytest.mark.slow
def test_it_starts_answers_stops_and_starts_again(
    start: Callable[..., Copy], ten_ports: Ports, run_dir: Path
) -> None:
    copy = start()
    copy.wait_for("Ctrl-C stops everything.")
    assert get(ten_ports, "/healthz") == 200
    assert get(ten_ports, "/readyz") == 200
    first = copy.said()
    assert "user admin, password " in first
    assert "curl " in first
    processes = copy.family()
    names = " ".join(" ".join(process.cmdline()) for process in processes)
    assert all(each in names for each in ("postgres", "redis", "livekit", "granian", "beat"))
    assert listened_on(processes) == {HOST}
    assert copy.end(signal.SIGINT) == 0
    assert copy.said().endswith("Stopped.\n")
    assert left_of(processes) == []

    again = start()
    again.wait_for("Ctrl-C stops everything.")
    password = first.split("password ")[1].split(")")[0]
    assert f"password {password})" in again.said()
    processes = again.family()
    assert again.end(signal.SIGTERM) == 0
    assert left_of(processes) == []
    assert stat.S_IMODE((run_dir / "run" / "state.json").stat().st_mode) == 0o600


@pytest.mark.slow
def test_it_keeps_its_secrets_to_itself(start: Callable[..., Copy], run_dir: Path) -> None:
    copy = start(FLUXER_LOCAL_LIVEKIT="0", FLUXER_DEMO="0")
    copy.wait_for("Ctrl-C stops everything.")
    state = State(run_dir / "run" / "state.json")
    made = {name: state.once(name, str) for name in SECRETS}
    commands = " ".join(" ".join(process.cmdline()) for process in copy.family())
    assert all(len(secret) >= 32 for secret in made.values())
    assert not [n for n, secret in made.items() if secret in copy.said() or secret in commands]
    assert "livekit" not in commands
    assert copy.end(signal.SIGINT) == 0


@pytest.mark.slow
def test_a_second_copy_in_the_same_place_is_refused(start: Callable[..., Copy]) -> None:
    first = start(FLUXER_LOCAL_LIVEKIT="0", FLUXER_DEMO="0")
    first.wait_for("Starting.")
    second = start()
    assert second.process.wait(60) == 1
    assert second.said().startswith("make run is already running in ")
    assert second.said().count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next run ends them")
def test_kill_9_leaves_no_process_either(start: Callable[..., Copy]) -> None:
    copy = start(FLUXER_LOCAL_LIVEKIT="0", FLUXER_DEMO="0")
    copy.wait_for("Ctrl-C stops everything.")
    processes = copy.family()
    assert copy.end(signal.SIGKILL) == -signal.SIGKILL
    assert left_of(processes) == []

    copy = start(FLUXER_LOCAL_LIVEKIT="0", FLUXER_DEMO="0")
    copy.wait_for("Ctrl-C stops everything.")
    assert copy.end(signal.SIGINT) == 0


@pytest.mark.slow
def test_when_one_service_dies_everything_stops(start: Callable[..., Copy]) -> None:
    copy = start(FLUXER_LOCAL_LIVEKIT="0", FLUXER_DEMO="0")
    copy.wait_for("Ctrl-C stops everything.")
    processes = copy.family()
    beat = next(process for process in processes if "--schedule" in process.cmdline())
    beat.kill()
    assert copy.process.wait(60) == 1
    assert "beat has ended by itself" in copy.said().splitlines()[-1]
    assert left_of(processes) == []


@pytest.mark.slow
def test_manage_works_alone_and_beside_a_copy_that_runs(start: Callable[..., Copy]) -> None:
    copy = start(FLUXER_LOCAL_LIVEKIT="0", FLUXER_DEMO="0")
    copy.wait_for("Ctrl-C stops everything.")
    count = "from django.contrib.auth.models import User; print(User.objects.count())"
    command = [sys.executable, "-m", "fluxer.local", "manage", "shell", "-v0", "-c", count]
    beside = subprocess.check_output(command, cwd=PROJECT, env=copy.environment, text=True)
    assert beside == "1\n"
    assert copy.end(signal.SIGINT) == 0
    alone = subprocess.check_output(command, cwd=PROJECT, env=copy.environment, text=True)
    assert alone == "1\n"


def test_a_port_in_use_is_one_sentence_and_exit_1(
    start: Callable[..., Copy], ten_ports: Ports
) -> None:
    with socket.socket() as other:
        other.bind((HOST, ten_ports.redis))
        other.listen()
        copy = start()
        assert copy.process.wait(60) == 1
    assert copy.said().startswith(f"Port {ten_ports.redis} (Redis) is in use: ")
    assert copy.said().count("\n") == 1
