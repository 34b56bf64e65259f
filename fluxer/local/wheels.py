"""Programs that come inside Python packages, and the cache for what is made once per user."""

import fcntl
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fluxer.local.errors import LocalError


def cache() -> Path:
    """`fluxer-voice` in the user's cache directory."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "fluxer-voice"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time makes what belongs in this directory; the lock ends with it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def folder_of(package: str) -> Path | None:
    """Where an installed package lies. It is not imported."""
    found = importlib.util.find_spec(package)
    places = found.submodule_search_locations if found else None
    return Path(places[0]) if places else None


def pip(*arguments: str) -> None:
    """Run this Python's pip quietly. Raises LocalError with its last line."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip() or "no message").splitlines()[-1]
        raise LocalError(f"pip could not fetch {arguments[-1]} ({why}): check the network, retry.")
