"""Tries a server as it was just described: what an operator wants to know before anybody joins."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from fluxer import livekit
from fluxer.livekit import LiveKitError, LiveKitNotAsked, LiveKitUnavailable, ProbeResult
from fluxer.secrets import SecretUnreadable
from regions import health
from regions.models import Server, api_url_of

DEADLINE = 2.0  # seconds for each of the two steps
SKEW = 5.0  # seconds; LiveKit takes tokens that are off by a minute at most

BUSY = "It was not tried: this process is too busy. Probe it again."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried, in words."""

    ok: bool
    sentence: str


def run(server: Server) -> list[Finding]:
    """What works and what does not. No transaction may be open: this waits for the network, for
    4 seconds at most. What it saw is in the server's health."""
    api_url = api_url_of(endpoint=server.endpoint, api_url=server.api_url)
    front = api_url_of(endpoint=server.endpoint, api_url="")
    begun_at = timezone.now()
    seen = livekit.probe_all([api_url, front], timeout=DEADLINE)
    if not seen:
        return [Finding(False, BUSY)]
    health.probed({server.pk: seen[api_url]}, begun_at=begun_at, now=timezone.now())
    findings = [_reached(seen[api_url], "It")]
    if front != api_url:
        findings.append(_reached(seen[front], "Its endpoint, as we see it from here,"))
    if seen[api_url].ok:
        findings += [*_clock(seen[api_url]), _key(server)]
    return findings


def _reached(result: ProbeResult, what: str) -> Finding:
    if result.ok:
        return Finding(True, f"{what} answers, after {result.milliseconds:.0f} ms.")
    return Finding(
        False,
        f"{what} does not answer: {result.error}. Is LiveKit running there, and the port open?",
    )


def _clock(result: ProbeResult) -> list[Finding]:
    skew = result.clock_skew
    if skew is None or abs(skew) <= SKEW:
        return []
    way = "ahead of" if skew > 0 else "behind"
    told = f"Its clock is {abs(skew):.0f} s {way} ours: tokens may be refused."
    return [Finding(False, f"{told} Have both follow a time server.")]


def _key(server: Server) -> Finding:
    """ListRooms, which only the right key and secret may."""
    try:
        server.api_secret  # noqa: B018 opened
    except SecretUnreadable as error:
        health.failing(server.pk, now=timezone.now(), error=str(error))
        return Finding(False, f"{error}.")
    try:
        rooms = livekit.list_rooms(server.livekit, timeout=min(DEADLINE, settings.LIVEKIT_TIMEOUT))
    except LiveKitNotAsked:
        return Finding(False, BUSY)
    except LiveKitError as error:
        health.failing(server.pk, now=timezone.now(), error=str(error))
        if isinstance(error, LiveKitUnavailable) and error.status in (401, 403):
            told = "It does not accept the API key and secret. Compare them with `keys:`"
            return Finding(False, f"{told} in LiveKit's configuration.")
        return Finding(False, f"Its API does not answer as LiveKit's would: {error}.")
    health.api_answers(server.pk, now=timezone.now())
    number = len(rooms)
    return Finding(True, f"It accepts the API key, and has {number} room{'s' * (number != 1)}.")
