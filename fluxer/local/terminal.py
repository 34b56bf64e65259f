"""What the person who typed `make run` sees: where to go, and who says what."""

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from types import FrameType

from honcho.printer import Message, Printer

from fluxer.local.place import Place
from fluxer.local.ports import HOST
from fluxer.local.prepare import STAFF

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminal:
    """Lines of many processes in one terminal, each with its name in front."""

    def __init__(self, names: list[str]) -> None:
        self._printer = Printer(sys.stdout, width=max(map(len, names)))
        self._lock = threading.Lock()

    def echo(self, name: str) -> Callable[[bytes], None]:
        def write(line: bytes) -> None:
            moment = datetime.now().astimezone()
            with self._lock:
                self._printer.write(Message("line", line, moment, name, None))

        return write


def say(line: str) -> None:
    print(line, flush=True)


def banner(*, port: int, place: Place, prepared: Mapping[str, str], password: str) -> str:
    """Where to go. No secret but the staff user's password, and what the demo shows."""
    home = f"http://{HOST}:{port}"
    known = prepared["staff"] == "known"
    staff = f"user {STAFF}, password {password}" if known else "with a staff user of yours"
    parts = [
        "",
        "Fluxer voice is running.",
        "",
        f"  API    {home}/",
        f"  Docs   {home}/docs",
        f"  Admin  {home}/admin/  ({staff})",
        "",
        *([prepared["demo"], ""] if prepared["demo"] else []),
        f"Secrets are in {place.state}, logs in {place.logs}. Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(parts)


def stop_on_signals() -> None:
    """Ctrl-C, a polite kill and a closed terminal all raise KeyboardInterrupt, where we are."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for sign in _STOPS:
        signal.signal(sign, interrupt)


def ignore_signals() -> None:
    """While everything is being stopped: a second Ctrl-C must not leave half of it behind."""
    for sign in _STOPS:
        signal.signal(sign, signal.SIG_IGN)
