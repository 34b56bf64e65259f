"""What production runs: `python -m fluxer.serve [web] [worker] [beat]`; without a name, all three.

Brings no database, no Redis and no LiveKit: everything is read from the environment and `.env`,
and what cannot work is said in a sentence before anything starts. On SIGTERM the web server
finishes the requests that it has, and the worker its tasks; whatever takes longer than STOP_SECONDS
is killed, and done again by whoever comes next. `python -m fluxer.serve check web` (or worker) is 0
when that one answers.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import environ

from fluxer.local import tether

PROJECT = Path(__file__).resolve().parent.parent
ROLES = ("web", "worker", "beat")
HEARTBEAT = Path(tempfile.gettempdir()) / "fluxer-worker-heartbeat"
STALE_SECONDS = 30

# Started as root (in a container, say), Celery would give a paragraph of advice.
_ADVICE = "ignore:You're running the worker with superuser privileges"
CELERY = (sys.executable, "-W", _ADVICE, "-m", "celery", "--quiet", "-A", "fluxer")


class Stop(Exception):
    """We were told to stop."""


def command(role: str, environment: Mapping[str, str]) -> Sequence[str]:
    """The command line of one role."""

    def number(name: str, default: int) -> str:
        return str(_number(environment, name, default))

    if role == "web":
        return (
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"),
            *("--host", environment.get("HOST") or "127.0.0.1", "--port", number("PORT", 8000)),
            # As many threads as database connections: a request may wait for LiveKit.
            *("--workers", number("WEB_PROCESSES", 2)),
            *("--blocking-threads", number("WEB_THREADS", 16)),
            *("--workers-kill-timeout", str(max(1, int(number("STOP_SECONDS", 25)) - 3))),
            *("--respawn-failed-workers", "--log-level", "error", "fluxer.wsgi:application"),
        )
    if role == "worker":
        return (
            *(*CELERY, "worker", "-Q", environment.get("WORKER_QUEUES") or "now,sweep"),
            # Tasks wait rather than compute: one server that hangs must not take every place.
            *("--pool", "threads", "--concurrency", number("WORKER_THREADS", 16)),
            *("--without-gossip", "--without-mingle"),
        )
    schedule = Path(environment.get("TMPDIR") or tempfile.gettempdir()) / "fluxer-beat-schedule"
    return (*CELERY, "beat", "--schedule", str(schedule), "--pidfile=")


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        sys.exit(f"{name} must be a whole number, 1 or more.")
    return int(text)


def run(roles: Sequence[str]) -> int:
    """Run these until a signal (0), or until one of them ends by itself (1)."""
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, _told_to_stop)
    running: dict[str, subprocess.Popen[bytes]] = {}
    with _counted() as directory:
        environment = _environment(directory)
        seconds = _number(environment, "STOP_SECONDS", 25)
        try:
            _check(environment)
            lines = {role: command(role, environment) for role in roles}
            for role, line in lines.items():
                running[role] = _start(line, environment)
            return _watch(running)
        except Stop:
            return 0
        finally:
            for sign in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sign, signal.SIG_IGN)
            _stop(running.values(), seconds=seconds)


def _told_to_stop(*_: object) -> None:
    raise Stop


def _environment(directory: str) -> dict[str, str]:
    return {
        **os.environ,
        "LOG_FORMAT": os.environ.get("LOG_FORMAT") or "json",
        "DJANGO_SETTINGS_MODULE": "fluxer.settings",
        "PROMETHEUS_MULTIPROC_DIR": directory,
        "FLUXER_HEARTBEAT": os.environ.get("FLUXER_HEARTBEAT") or str(HEARTBEAT),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def _counted() -> Iterator[str]:
    """Where all processes count: the directory that is given (others may count there, too), or
    one for this run."""
    given = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if given:
        Path(given).mkdir(parents=True, exist_ok=True)
        yield given
        return
    made = tempfile.mkdtemp(prefix="fluxer-metrics-")
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check(environment: Mapping[str, str]) -> None:
    """End here, with a sentence, if the configuration cannot work."""
    code = "import django; django.setup(); from fluxer import checks; checks.at_boot()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        sys.exit(lines[-1] if lines else "The configuration cannot be read.")
    sys.stderr.write(done.stderr)


def _start(line: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C reaches only us. It is told to stop if we are killed."""
    rope = [sys.executable, "-I", "-S", tether.__file__, str(int(signal.SIGTERM)), str(os.getpid())]
    return subprocess.Popen(
        [*rope, "", *line], env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )


def _watch(running: Mapping[str, subprocess.Popen[bytes]]) -> int:
    while True:
        for role, process in running.items():
            if process.poll() is not None:
                print(f"{role} has ended by itself with {process.returncode}.", file=sys.stderr)  # noqa: T201
                return 1
        time.sleep(0.2)


def _stop(started: Collection[subprocess.Popen[bytes]], *, seconds: float) -> None:
    """All at once, in the time of the slowest; what is left then is killed, children too."""
    for process in started:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + seconds
    for process in started:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
        finally:
            process.wait()


def check(role: str) -> int:
    """0: the web server answers, or the worker was heard of just now."""
    if role == "worker":
        file = Path(os.environ.get("FLUXER_HEARTBEAT") or HEARTBEAT)
        return int(not file.exists() or time.time() - file.stat().st_mtime > STALE_SECONDS)
    host = (os.environ.get("ALLOWED_HOSTS") or "127.0.0.1").split(",")[0].strip().lstrip(".*")
    port = int(os.environ.get("PORT") or 8000)
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/healthz", headers={"Host": host or "127.0.0.1"}
    )
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310 our own address
            return int(answer.status != 200)
    except urllib.error.HTTPError as error:
        # 400: it lives, and has its ALLOWED_HOSTS from elsewhere, a file perhaps.
        return int(error.code != 400)
    except (urllib.error.URLError, OSError):
        return 1


def main(*arguments: str) -> int:
    """The exit code."""
    # As the settings do, which read the rest: the environment wins.
    environ.Env.read_env(PROJECT / ".env", overwrite=False)
    if arguments[:1] == ("check",) and len(arguments) == 2 and arguments[1] in ("web", "worker"):
        return check(arguments[1])
    if any(role not in ROLES for role in arguments):
        print("Say any of web, worker, beat; or check web, check worker.", file=sys.stderr)  # noqa: T201
        return 2
    return run(arguments or ROLES)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
