"""Asks servers whether they are there, and hands what they said to `regions.health`."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from fluxer import livekit
from fluxer.errors import ServiceUnavailable
from regions import health
from regions.models import Server, api_url_of

DEADLINE = 2.0  # seconds for all together


def probe(servers: Iterable[Server] | None = None) -> health.Changed:
    """Ask these servers, or all, active or not, at the same time. No transaction may be open.

    The instances are only read: reload them to see what was written. ServiceUnavailable when
    nobody could be asked, because our own loop is stuck: then nothing is written.
    """
    known = Server.objects.all() if servers is None else servers
    if servers is None:
        known = Server.objects.only("endpoint", "api_url")  # no secret is opened
    urls = {s.pk: api_url_of(endpoint=s.endpoint, api_url=s.api_url) for s in known}
    begun_at = timezone.now()
    seen = livekit.probe_all(urls.values(), timeout=DEADLINE)
    if urls and not seen:
        raise ServiceUnavailable("No server was asked: this process is too busy; try again shortly")
    results = {server_id: seen[url] for server_id, url in urls.items()}
    return health.probed(results, begun_at=begun_at, now=timezone.now())
