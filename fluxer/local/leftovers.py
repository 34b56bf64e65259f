"""Processes that a copy left behind when it was killed: the next run ends them, and only them."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

# A process id is given out again some day; with the time of its start it is unique.
_SAME_START_SECONDS = 2.0


def record(path: Path, pid: int) -> None:
    """Write down that this process is ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(psutil.NoSuchProcess):
        path.write_text(json.dumps({"pid": pid, "started": psutil.Process(pid).create_time()}))


def end_all(pids: Path) -> list[str]:
    """End what is recorded there and still runs; forget the rest. The names of those ended."""
    ended = []
    for path in sorted(pids.glob("*.json")):
        process = _recorded(path)
        if process is not None:
            _end(process)
            ended.append(path.stem)
        path.unlink(missing_ok=True)
    return ended


def _recorded(path: Path) -> psutil.Process | None:
    try:
        entry = json.loads(path.read_text())
        process = psutil.Process(int(entry["pid"]))
        started = process.create_time()
        same = abs(started - float(entry["started"])) < _SAME_START_SECONDS
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None  # half written, or gone
    return process if same and process.status() != psutil.STATUS_ZOMBIE else None


def _end(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        with suppress(psutil.TimeoutExpired):
            process.wait(5)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # each leads its own group
