"""Many clients for the price of a socket each: they join a real server's signalling, and no more.

They are listed as JOINED and can be removed like anybody; without media they never become ACTIVE,
so LiveKit tells of them only when they go, as an aborted connection, after a minute at most.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import aiohttp
from livekit.protocol.models import DisconnectReason
from livekit.protocol.rtc import SignalResponse

T = TypeVar("T")


class SignalRefused(Exception):
    """The server did not let the token in; the text has its status."""


class SignalClient:
    """One connection: `sid` when it is in, `reason` when the server has ended it."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.latest_token = token
        self.sid = ""
        self.identity = ""
        self.reason: str | None = None
        self.ended = threading.Event()
        self.joined = asyncio.Event()

    def take(self, response: SignalResponse) -> None:
        match response.WhichOneof("message"):
            case "join":
                self.sid = response.join.participant.sid
                self.identity = response.join.participant.identity
                self.joined.set()
            case "leave":
                self.reason = DisconnectReason.Name(response.leave.reason)
            case "refresh_token":
                self.latest_token = response.refresh_token


class Signals:
    """All the connections of a test, in one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="signals")
        self._thread.start()
        self._session = self._run(self._open())
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, url: str, tokens: Iterable[str], *, timeout: float = 10) -> list[SignalClient]:
        """One client per token, all in. Raises SignalRefused."""
        clients = [SignalClient(token) for token in tokens]
        self._run(self._join(url, clients, timeout))
        return clients

    def close(self) -> None:
        """Cut every connection."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def _join(self, url: str, clients: list[SignalClient], timeout: float) -> None:
        async with asyncio.timeout(timeout):
            await asyncio.gather(*(self._one(url, client) for client in clients))

    async def _one(self, url: str, client: SignalClient) -> None:
        asked = {"access_token": client.token, "protocol": "15", "sdk": "python"}
        try:
            socket = await self._session.ws_connect(f"{url}/rtc", params=asked)
        except aiohttp.WSServerHandshakeError as error:
            raise SignalRefused(f"refused with {error.status}") from None
        task = self._loop.create_task(self._listen(socket, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await client.joined.wait()

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, client: SignalClient) -> None:
        async with socket:
            async for message in socket:
                if message.type == aiohttp.WSMsgType.BINARY:
                    client.take(SignalResponse.FromString(message.data))
                if client.reason is not None:
                    break
        client.ended.set()

    async def _close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()
