"""One question to one LiveKit server: a value, and the way to ask it over Twirp."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import aiohttp
import jwt
from google.protobuf.message import DecodeError, Message

from fluxer.livekit import loop
from fluxer.livekit.errors import LiveKitError, LiveKitGone, LiveKitUnavailable, unavailable
from fluxer.secrets import Sealed, SecretUnreadable

logger = logging.getLogger(__name__)

T = TypeVar("T")
Observer = Callable[[str, str, float], None]

TOKEN_LIFE = 60  # seconds
ANSWER_LIMIT = 32 * 1024 * 1024  # bytes; ten thousand rooms are about three million
ERROR_LIMIT = 64 * 1024
PROTOBUF = "application/protobuf"
TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
# What these name must exist. CreateRoom and the lists name nothing that could be gone: a 404 of
# theirs is a server that does not do its work.
MUST_EXIST = {"RemoveParticipant", "UpdateParticipant", "DeleteRoom"}
TWIRP_CODE = re.compile(r"[a-z_]{1,20}")  # no token or secret looks like this

observers: list[Observer] = []
"""Called after every call with its method, its outcome (ok, gone, timed_out, unavailable) and its
seconds; on the loop's thread, so they must be quick."""


@dataclass(frozen=True, slots=True)
class LiveKitServer:
    """Where a server's API is, and how we prove who we are."""

    api_url: str
    api_key: str
    secret: str | Sealed = field(repr=False)

    @property
    def api_secret(self) -> str:
        """SecretUnreadable when it was stored with a key that we do not have."""
        return self.secret.open() if isinstance(self.secret, Sealed) else self.secret


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One question to one server. `read` turns the answer's bytes into what the caller wants."""

    server: LiveKitServer
    method: str
    request: Message
    read: Callable[[bytes], T]
    grant: Mapping[str, Any]
    timeout: float


async def ask(call: Call[T]) -> T:
    """The answer, within the call's deadline, connecting included. Raises one of our two errors."""
    began = time.monotonic()
    failure: LiveKitError | None = None
    answer: T
    try:
        async with asyncio.timeout(call.timeout):
            answer = call.read(await _post(call))
    except LiveKitError as error:
        failure = error
    except DecodeError:
        failure = LiveKitUnavailable(f"LiveKit answered {call.method} with something unreadable")
    except TRANSPORT_ERRORS as error:
        failure = unavailable(error, method=call.method, timeout=call.timeout)
    observe(call.method, failure, time.monotonic() - began)
    if failure is not None:
        raise failure  # outside of the except: its context would hold our token
    return answer


async def _post(call: Call[Any]) -> bytes:
    async with loop.session().post(
        f"{call.server.api_url.rstrip('/')}/twirp/livekit.RoomService/{call.method}",
        data=call.request.SerializeToString(),
        headers={"Authorization": f"Bearer {_token(call)}", "Content-Type": PROTOBUF},
        allow_redirects=False,
    ) as response:
        if response.status != 200:
            raise _refusal(call.method, response.status, await _capped(response, ERROR_LIMIT))
        if response.content_type != PROTOBUF:
            # A stray page that answers 200 must not read as an empty list.
            raise LiveKitUnavailable(f"LiveKit answered {call.method} with something unreadable")
        return await _capped(response, ANSWER_LIMIT)


async def _capped(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise LiveKitUnavailable("LiveKit answered with more than we read")
    return bytes(body)


def _refusal(method: str, status: int, body: bytes) -> LiveKitError:
    """Twirp's error, by its code alone."""
    try:
        code = json.loads(body)["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        code = None
    if status == 404 and code == "not_found" and method in MUST_EXIST:
        return LiveKitGone(f"LiveKit knows nothing of what {method} asked for")
    told = f" {code}" if isinstance(code, str) and TWIRP_CODE.fullmatch(code) else ""
    return LiveKitUnavailable(f"LiveKit answered {method} with {status}{told}", status=status)


def _token(call: Call[Any]) -> str:
    now = int(time.time())
    claims = {
        "iss": call.server.api_key,
        "nbf": now,
        "exp": now + TOKEN_LIFE,
        "video": dict(call.grant),
    }
    try:
        secret = call.server.api_secret
    except SecretUnreadable as error:
        raise LiveKitUnavailable(str(error)) from None
    return jwt.encode(claims, secret, algorithm="HS256")


def observe(method: str, failure: LiveKitError | None, seconds: float) -> None:
    """Tell every observer how a call ended. One that fails does not touch the call."""
    outcome = "ok"
    if isinstance(failure, LiveKitGone):
        outcome = "gone"
    elif isinstance(failure, LiveKitUnavailable):
        outcome = "timed_out" if failure.timed_out else "unavailable"
    for observer in tuple(observers):
        try:
            observer(method, outcome, seconds)
        except Exception:
            logger.exception("an observer of LiveKit calls failed")
