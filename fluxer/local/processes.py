"""A process that we started: it ends in good order, and does not outlive us."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from fluxer.local import leftovers, tether
from fluxer.local.errors import LocalError

# Signals and the seconds that each is given; what is still there then is killed.
Farewell = Sequence[tuple[signal.Signals, float]]


def tied(
    command: Sequence[str | Path], *, orphaned: signal.Signals, user: int | None = None
) -> list[str]:
    """The same command; it gets this signal when we die."""
    change = "" if user is None else str(user)
    rope = [sys.executable, "-I", "-S", tether.__file__, str(int(orphaned)), str(os.getpid())]
    return [*rope, change, *(str(word) for word in command)]


class Service:
    """One running process with its log. It has a session of its own: Ctrl-C reaches only us.

    `farewell` is how it is stopped, `orphaned` the signal that it gets if we die first; `echo`
    is called with every line that it writes.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        pids: Path,
        farewell: Farewell,
        orphaned: signal.Signals | None = None,
        user: int | None = None,
        environment: Mapping[str, str] | None = None,
        echo: Callable[[bytes], None] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._farewell = farewell
        self._record = pids / f"{name}.json"
        with _fresh(log).open("wb") as output:
            self._process = subprocess.Popen(
                tied(command, orphaned=orphaned or farewell[0][0], user=user),
                stdin=subprocess.DEVNULL,
                stdout=output if echo is None else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        leftovers.record(self._record, self.pid)
        self._echo: threading.Thread | None = None
        if echo is not None and self._process.stdout is not None:
            self._echo = self._follow(self._process.stdout, echo)

    @property
    def pid(self) -> int:
        return self._process.pid

    def runs(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 30) -> None:
        """Return when `ready` says so. LocalError when the process ends or takes too long."""
        deadline = time.monotonic() + seconds
        try:
            while not ready():
                if not self.runs() or time.monotonic() > deadline:
                    raise LocalError(
                        f"{self.name} did not start ({self.last_words()}): look into {self.log}, "
                        "remove the cause, and start again."
                    )
                time.sleep(0.05)
        except BaseException:  # Ctrl-C too: nobody else knows of this process yet
            self.stop()
            raise

    def last_words(self) -> str:
        """The last line of the log."""
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def kill(self) -> None:
        """End it as a crash would."""
        self._signal_group(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it, politely at first. Once it has ended, nothing happens."""
        for sign, seconds in self._farewell:
            if not self.runs():
                break
            self._process.send_signal(sign)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        self.kill()
        if self._echo is not None:
            self._echo.join()
        self._record.unlink(missing_ok=True)

    def _signal_group(self, sign: signal.Signals) -> None:
        """To the process and its children: the group outlives its leader while a child lives."""
        try:
            os.killpg(self.pid, sign)
        except (ProcessLookupError, PermissionError):
            return

    def _follow(self, output: IO[bytes], echo: Callable[[bytes], None]) -> threading.Thread:
        def read() -> None:
            with output as lines, self.log.open("ab", buffering=0) as log:
                for line in lines:
                    log.write(line)
                    echo(line)

        thread = threading.Thread(target=read, name=f"echo {self.name}", daemon=True)
        thread.start()
        return thread


def stop_together(services: Iterable[Service]) -> None:
    """Stop several that do not need each other, in the time of the slowest."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Service.stop, services))


def _fresh(log: Path) -> Path:
    """Keep the log of the run before beside the new one."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".before.log"))
    return log
