"""Is a server there? `GET /`, once, without credentials."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from fluxer.livekit import loop
from fluxer.livekit.calls import TRANSPORT_ERRORS, observe
from fluxer.livekit.errors import LiveKitUnavailable, unavailable

log = logging.getLogger(__name__)

METHOD = "GET /"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Any answer below 500 is a sign of life (406 too: its node is stale, and it serves)."""

    ok: bool
    milliseconds: float
    error: str | None = None
    clock_skew: float | None = None  # seconds by which its clock is ahead, give or take one


def probe_all(api_urls: Iterable[str], *, timeout: float) -> dict[str, ProbeResult]:
    """Whether each of the servers answers, all asked at once: it takes as long as the slowest.

    Never raises. Nothing at all when our own loop is stuck: that says nothing about them.
    """
    urls = list(dict.fromkeys(api_urls))
    try:
        return loop.run(_all(urls, timeout), within=timeout)
    except TimeoutError:
        log.error("no probe was made: the loop for calls to LiveKit is stuck")
        return {}


async def _all(urls: list[str], timeout: float) -> dict[str, ProbeResult]:
    results = await asyncio.gather(*(_one(url, timeout) for url in urls))
    return dict(zip(urls, results, strict=True))


async def _one(url: str, timeout: float) -> ProbeResult:
    began = time.monotonic()
    failure: LiveKitUnavailable | None = None
    skew: float | None = None
    try:
        async with (
            asyncio.timeout(timeout),
            loop.session().get(f"{url.rstrip('/')}/", allow_redirects=False) as response,
        ):
            await response.content.read(1024)
            skew = _skew(response.headers.get("Date"))
            if response.status >= 500:
                failure = LiveKitUnavailable(f"LiveKit answered {METHOD} with {response.status}")
    except TRANSPORT_ERRORS as error:
        failure = unavailable(error, method=METHOD, timeout=timeout)
    seconds = time.monotonic() - began
    observe(METHOD, failure, seconds)
    return ProbeResult(failure is None, seconds * 1000, str(failure) if failure else None, skew)


def _skew(date: str | None) -> float | None:
    """How far the clock that wrote this `Date` is ahead of ours; its second is half over."""
    try:
        return parsedate_to_datetime(date or "").timestamp() + 0.5 - time.time()
    except (TypeError, ValueError):
        return None
