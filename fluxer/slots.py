"""Numbered places in a directory: a process holds one while it lives, and whoever comes after takes
it over, with what was left there."""

import fcntl
import itertools
import os
from pathlib import Path


class Slots:
    """The places of one directory, as a process sees them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._owner = self._lock = -1
        self._name = ""

    def name(self) -> str:
        """What this process's place is called. A fork gets one of its own."""
        if self._owner != os.getpid():
            inherited = self._lock
            self._name, self._lock = self._claimed()
            self._owner = os.getpid()
            if inherited >= 0:  # the place stays the parent's
                os.close(inherited)
        return self._name

    def _claimed(self) -> tuple[str, int]:
        """The first place that nobody holds, and the lock on it: the kernel lets go of it when this
        process ends, however it does, and knows no host names, as containers do."""
        for number in itertools.count():
            # One user could not write on in the files of another.
            name = f"{os.getuid()}-{number}"
            file = os.open(self._directory / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            return name, file
        raise AssertionError("numbers do not end")
