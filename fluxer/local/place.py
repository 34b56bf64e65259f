"""RUN_DIR: where a copy keeps what it knows, held by one process at a time."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fluxer.local.errors import LocalError
from fluxer.local.state import write_private


@dataclass(frozen=True)
class Place:
    """The files of one copy."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def metrics(self) -> Path:
        """Where all processes of the copy count; each run begins at zero."""
        return self.root / "metrics"

    @property
    def running(self) -> Path:
        """Where the services of the copy that runs are, for `make manage`."""
        return self.root / "running.json"

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Whether nobody else has it: True, and ours until the end, or False."""
        self._make()
        with (self.root / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self.running.unlink(missing_ok=True)  # of a run that was killed
            try:
                yield True
            finally:
                self.running.unlink(missing_ok=True)

    def tell(self, addresses: Mapping[str, str]) -> None:
        """Let `make manage` find what runs here."""
        write_private(self.running, json.dumps(dict(addresses)) + "\n")

    def told(self) -> dict[str, str]:
        """What the copy that runs here has told. LocalError while it starts or stops."""
        try:
            addresses = json.loads(self.running.read_text())
        except (OSError, ValueError) as error:
            raise LocalError("make run is starting or stopping here: try again.") from error
        return {str(name): str(value) for name, value in addresses.items()}

    def _make(self) -> None:
        """Others may pass (PostgreSQL may be another user) but not look."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o711)
            self.logs.mkdir(exist_ok=True, mode=0o700)
            self.pids.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise LocalError(f"{self.root} cannot be made ({error}): set RUN_DIR.") from error
