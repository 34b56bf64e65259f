"""One event loop per process, in a thread of its own, with one HTTP session.

Never one that was made before a fork."""

from __future__ import annotations

import asyncio
import atexit
import os
import selectors
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")

GUARD = 1.0  # seconds beyond a call's own deadline before we believe the loop itself is stuck
RESOLVERS = 16  # names looked up at once: one dead resolver must not hold up every other server


class LoopThread:
    """A running loop and the session that belongs to it."""

    session: aiohttp.ClientSession

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.loop = asyncio.SelectorEventLoop(self.selector)
        self.loop.set_default_executor(ThreadPoolExecutor(RESOLVERS, "livekit-resolver"))
        self.thread = threading.Thread(target=self._run, name="livekit", daemon=True)
        self._ready = threading.Event()
        self.thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._open())
        self.loop.call_soon(self._ready.set)
        self.loop.run_forever()
        self.loop.run_until_complete(self.session.close())
        self.loop.close()

    async def _open(self) -> None:
        """No cap on connections: a hanging server would take them all. No cookies, no proxies, no
        decompression, no time limit of its own: each call brings one."""
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "fluxer"},
        )

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=2)


_lock = threading.Lock()
_current: LoopThread | None = None
_left_behind: list[LoopThread] = []


def loop_thread() -> LoopThread:
    """This process's loop, made when it is first needed."""
    global _current
    with _lock:
        if _current is None:
            _current = LoopThread()
        return _current


def session() -> aiohttp.ClientSession:
    """This process's HTTP session; only for code that runs on the loop."""
    return loop_thread().session


def run(coroutine: Coroutine[Any, Any, T], *, within: float) -> T:
    """The coroutine's result, for any thread but the loop's own.

    Raises TimeoutError if the loop is stuck. Whoever stops waiting (a soft time limit, Ctrl-C)
    takes the call with them."""
    future = asyncio.run_coroutine_threadsafe(coroutine, loop_thread().loop)
    try:
        return future.result(within + GUARD)
    except BaseException:
        future.cancel()
        raise


def close() -> None:
    """Stop the loop and close its connections. The next call makes a new one."""
    global _current
    with _lock:
        stopping, _current = _current, None
    if stopping is not None:
        stopping.stop()


def _forget_after_fork() -> None:
    """The child keeps the parent's loop alive but unused: collecting it would speak to the parent's
    sockets. Closing the child's copy of the selector cuts the last thing that they share."""
    global _current, _lock
    _lock = threading.Lock()
    if _current is not None:
        _current.selector.close()
        _left_behind.append(_current)
        _current = None


os.register_at_fork(after_in_child=_forget_after_fork)
atexit.register(close)
