"""The HTTP side of the fake: a real server on 127.0.0.1, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpThread:
    """Answers with `handler` on a port that stays its own through `refuse` and `accept`."""

    def __init__(self, handler: Handler, *, name: str) -> None:
        self._handler = handler
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._listener: asyncio.Server | None = None
        self._server: web.Server | None = None
        self.port = 0
        self._thread.start()
        self.accept()

    def accept(self) -> None:
        """Listen, on the same port as before."""
        self._wait(self._listen())

    def refuse(self) -> None:
        """Stop listening and cut every connection, as when the process has died."""
        self._wait(self._cut())

    def close(self) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _wait(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        if self._listener is None:
            self._server = web.Server(self._handler, access_log=None)
            self._listener = await self._loop.create_server(
                self._server, "127.0.0.1", self.port, reuse_address=True, backlog=1024
            )
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._listener is not None and self._server is not None:
            self._listener.close()
            for connection in self._server.connections:
                connection.force_close()
            await self._server.shutdown(timeout=0.01)
            await self._listener.wait_closed()
            self._listener = self._server = None
