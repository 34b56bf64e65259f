"""What the fake answers over HTTP, and how it fails to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from google.protobuf.message import DecodeError, Message
from livekit.protocol.room import ListParticipantsResponse, ListRoomsResponse

from tests.livekit.fake_faults import HEALTH, Fault
from tests.livekit.fake_rooms import Rooms
from tests.livekit.fake_service import RoomService, TwirpError
from tests.livekit.tokens import BadToken, read_token

if TYPE_CHECKING:
    from tests.livekit.fake import FakeLiveKit

PREFIX = "/twirp/livekit.RoomService/"
PROTOBUF = "application/protobuf"

Do = Callable[[], web.StreamResponse]


class ApiCall(NamedTuple):
    method: str
    room: str
    identity: str


class Wire:
    """Counts what comes in, lets the faults strike, and has the RoomService do the rest."""

    def __init__(self, server: FakeLiveKit) -> None:
        self.server = server
        self._service = RoomService(server.rooms)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        method = request.path.removeprefix(PREFIX)
        if request.path == "/" and request.method == "GET":
            self.server.probes += 1
            return await self._with_faults(request, HEALTH, None, lambda: web.Response(text="OK"))
        if request.method != "POST" or method not in self._service.methods:
            return _twirp_error(TwirpError("bad_route", "no handler for path"))
        try:
            asked = self._service.methods[method][0].FromString(await request.read())
        except DecodeError:
            return _twirp_error(TwirpError("malformed", "the json request could not be decoded"))
        return await self._with_faults(
            request, method, asked, lambda: self._do(request, method, asked)
        )

    async def _with_faults(
        self, request: web.BaseRequest, method: str, asked: Message | None, do: Do
    ) -> web.StreamResponse:
        room = getattr(asked, "room", "") or getattr(asked, "name", "")
        identity = getattr(asked, "identity", "")
        if asked is not None:
            self.server.calls.append(ApiCall(method, room, identity))
        fault = self.server.faults.strike(method, room, identity)
        if fault is None:
            return do()
        return await _strike(fault, request, method, room, do)

    def _do(self, request: web.BaseRequest, method: str, asked: Message) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = read_token(token, key=self.server.key, secret=self.server.secret)
        except BadToken as error:
            return web.Response(status=401, text=f"invalid token: {token}, error: {error}")
        self.server.claims.append(claims)
        try:
            with self.server.rooms.lock:
                answer = self._service.methods[method][1](asked, claims.get("video") or {})
                body = answer.SerializeToString()
        except TwirpError as error:
            return _twirp_error(error)
        return _protobuf(body)


async def _strike(
    fault: Fault, request: web.BaseRequest, method: str, room: str, do: Do
) -> web.StreamResponse:
    match fault.kind:
        case "slow":
            await asyncio.sleep(fault.seconds)
            return do()
        case "hang" | "unanswered":
            if fault.kind == "unanswered":
                do()
            while not fault.ended.is_set():
                await asyncio.sleep(0.01)
            return _cut(request)
        case "held" | "kept":
            kept = do() if fault.kind == "kept" else None
            fault.struck.set()
            while not fault.ended.is_set():
                await asyncio.sleep(0.001)
            return do() if kept is None else kept
        case "break":
            return _cut(request)
        case "error":
            return _twirp_error(TwirpError(fault.code, "as the test wished"))
        case "plain_500":
            return web.Response(status=500, text="Internal Server Error")
        case "garbage":
            return _protobuf(b"\xff\xff\xff\xff no protobuf \x00")
        case "page":
            return web.Response(text="", content_type="text/html")
        case "empty":
            return _protobuf(b"")
        case "stale":
            return _protobuf(fault.snapshot.get(f"{method}/{room}", b""))
        case "redirect":
            return web.Response(status=307, headers={"Location": fault.location or "/elsewhere"})


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _protobuf(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=PROTOBUF)


def _twirp_error(error: TwirpError) -> web.Response:
    body = json.dumps({"code": error.code, "msg": str(error)})
    return web.Response(status=error.status, text=body, content_type="application/json")


def lists(rooms: Rooms) -> dict[str, bytes]:
    """Every list as it is answered now, for a fault that goes on answering so."""
    now = rooms.listing([])
    people = {
        f"ListParticipants/{room.name}": ListParticipantsResponse(
            participants=rooms.people(room.name)
        ).SerializeToString()
        for room in now
    }
    return {"ListRooms/": ListRoomsResponse(rooms=now).SerializeToString(), **people}
