"""Threads that meet: each with a connection, a client and a transaction of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")


def at_once(functions: Sequence[Callable[[], T]]) -> list[T]:
    """What each returned; all begin when the last of them is ready."""
    ready = threading.Barrier(len(functions))

    def begin(function: Callable[[], T]) -> T:
        try:
            ready.wait(10)
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [task.result(30) for task in [pool.submit(begin, f) for f in functions]]


class Rival:
    """Something that another thread does in the middle of what this one does.

    With the lock in place the rival waits for it, so `let_in` gives up on it after a moment; with
    the lock taken out it is done by then.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._thread: threading.Thread | None = None
        self.result: Any = None

    def let_in(self, *, moment: float = 0.4) -> None:
        """Begin, once, and wait for it a moment."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run)
            self._thread.start()
            self._thread.join(moment)

    def finish(self) -> Any:
        """What it returned."""
        assert self._thread is not None, "nobody let the rival in"
        self._thread.join(10)
        return self.result

    def _run(self) -> None:
        try:
            self.result = self._function()
        finally:
            connections.close_all()
