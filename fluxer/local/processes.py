"""A process that we started: it ends in good order, and does not outlive us."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fluxer.local import leftovers
from fluxer.local.errors import LocalError

# Signals and the seconds that each is given; what is still there then is killed.
Farewell = Sequence[tuple[signal.Signals, float]]

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def tether(sign: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the process gets this signal when its parent dies, even by kill -9.

    Linux only; elsewhere the next run ends what is left (`leftovers`).
    """
    parent = os.getpid()

    def tie() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(sign), 0, 0, 0)
            if os.getppid() != parent:  # it died before we were tied
                os._exit(1)

    return tie


class Service:
    """One running process with its log. It has a session of its own: Ctrl-C reaches only us.

    `farewell` is how it is stopped, `orphaned` the signal that it gets if we die first.
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
    ) -> None:
        self.name = name
        self.log = log
        self._farewell = farewell
        self._record = pids / f"{name}.json"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
                # Set after the user is changed: a change of user would clear it.
                preexec_fn=tether(orphaned or farewell[0][0]),
            )
        leftovers.record(self._record, self.pid)

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
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        self._record.unlink(missing_ok=True)

    def _signal_group(self, sign: signal.Signals) -> None:
        """To the process and its children: the group outlives its leader while a child lives."""
        try:
            os.killpg(self.pid, sign)
        except (ProcessLookupError, PermissionError):
            return
