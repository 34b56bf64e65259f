"""What can go wrong with a LiveKit server, on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

API = "the API"
HEALTH = "GET /"

Kind = Literal[
    "hang",  # no answer until the fault ends
    "slow",  # the answer comes `seconds` late
    "unanswered",  # it is done, and no answer comes
    "held",  # it is done, and answered, when the fault ends
    "kept",  # it is done at once, and answered when the fault ends
    "break",  # the connection is closed instead of an answer
    "error",  # Twirp's error with `code`
    "plain_500",  # HTTP 500 without Twirp's body
    "garbage",  # 200, protobuf by its name, and no protobuf
    "page",  # 200 and a page that somebody else serves
    "empty",  # 200 and an empty message: no rooms, nobody in
    "stale",  # lists as they were when the fault began
    "redirect",  # 307 to `location`
]


@dataclass
class Fault:
    """One kind of failure, for one method, room or identity, or for all of them, `times` times."""

    kind: Kind
    method: str | None = None
    room: str | None = None
    identity: str | None = None
    times: int | None = None
    seconds: float = 0.0
    code: str = "internal"
    location: str = ""
    hits: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    struck: threading.Event = field(default_factory=threading.Event)  # held or kept: it waits now
    snapshot: dict[str, bytes] = field(default_factory=dict)

    def concerns(self, method: str, room: str, identity: str) -> bool:
        if self.ended.is_set() or (self.times is not None and self.hits >= self.times):
            return False
        if self.kind == "stale" and method not in ("ListRooms", "ListParticipants"):
            return False
        if self.method not in (None, method) and not (self.method == API and method != HEALTH):
            return False
        return self.room in (None, room) and self.identity in (None, identity)

    def stop(self) -> None:
        self.ended.set()

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class Faults:
    """The faults of one server; the first one that concerns a call is the one that strikes."""

    def __init__(self) -> None:
        self._all: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._all.append(fault)
        return fault

    def strike(self, method: str, room: str = "", identity: str = "") -> Fault | None:
        with self._lock:
            for fault in self._all:
                if fault.concerns(method, room, identity):
                    fault.hits += 1
                    return fault
        return None

    def clear(self) -> None:
        with self._lock:
            for fault in self._all:
                fault.stop()
            self._all.clear()
