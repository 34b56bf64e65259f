"""`/metrics` for Prometheus: gauges read from the tables, counters of every process added up."""

import hmac
import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from fluxer import counters
from fluxer.errors import FluxerError, NotFound, Unauthorized
from fluxer.requests import envelope
from regions import health
from voice import samples, status
from voice.status import ServerFigures, Severity, Status

log = logging.getLogger(__name__)

# Name, what it says, and how it is read off.
TOTALS = (
    ("fluxer_connections", "Connections that are in voice.", "connected"),
    ("fluxer_seats", "Seats reserved for who has a token and is not in yet.", "seats"),
    ("fluxer_rooms", "Channels with anybody in them, or a seat.", "rooms"),
    ("fluxer_pins", "Rooms pinned to a server.", "pins"),
    ("fluxer_pins_expiring", "Pinned rooms that nobody is in.", "pins_expiring"),
    ("fluxer_due_rooms", "Rooms waiting to be compared with LiveKit.", "due_rooms"),
    ("fluxer_due_lateness_seconds", "How late the first of them is.", "due_lateness"),
    ("fluxer_rights_changes", "Changes of rights waiting to be applied.", "rights_changes"),
    ("fluxer_rights_lateness_seconds", "How long the first has waited.", "rights_lateness"),
)
# A gauge, for a count that begins with a burst has no increase; and it outlives every process.
STRANGERS = ("fluxer_strangers_last_hour", "Put out of LiveKit: no token of ours let them in.")
SERVERS = (
    ("fluxer_server_active", "1: switched on.", "is_active"),
    ("fluxer_server_draining", "1: keeps its rooms and gets no new ones.", "is_draining"),
    ("fluxer_server_takes_new_rooms", "1: a new room may be put here.", "takes_new_rooms"),
    ("fluxer_server_connections", "Connections that are in on this server.", "connected"),
    ("fluxer_server_seats", "Seats reserved on this server.", "seats"),
    ("fluxer_server_rooms", "Rooms pinned to this server.", "rooms"),
    ("fluxer_server_soft_limit", "Connections it is meant for.", "soft_connection_limit"),
    ("fluxer_server_due_rooms", "Its rooms that wait to be settled.", "due_rooms"),
    ("fluxer_server_due_lateness_seconds", "How late the first of them is.", "due_lateness"),
)
AGES = (
    ("fluxer_server_webhook_age_seconds", "Since its last webhook.", "webhook_at"),
    # Of who was never probed or compared, since it was added: no gauge would call nobody.
    ("fluxer_server_probe_age_seconds", "Since the last probe.", "unprobed_since"),
    ("fluxer_server_sweep_age_seconds", "Since it was last compared with us.", "unswept_since"),
)
LABELS = ("region", "server")


class Tables(Collector):
    """Gauges of the tables, in one statement more than `voice.status` takes."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterable[Metric]:
        try:
            found = status.read(self._now)
            strangers = samples.strangers_of_the_last_hour(now=self._now)
        except (DatabaseError, InterfaceError) as error:
            log.warning("no gauges: the tables cannot be read (%s)", type(error).__name__)
            yield _single("fluxer_tables_readable", "1: the other gauges are there.", 0)
            return
        yield _single("fluxer_tables_readable", "1: the other gauges are there.", 1)
        for name, says, attribute in TOTALS:
            yield _single(name, says, getattr(found.totals, attribute))
        yield _single(*STRANGERS, strangers)
        yield _troubles(found)
        yield _patience()
        yield _heard(found)
        yield from _servers(found)


def _single(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=value)


def _troubles(found: Status) -> Metric:
    family = GaugeMetricFamily(
        "fluxer_troubles", "What `voice_status` says is wrong.", labels=["severity"]
    )
    for severity in Severity:
        count = sum(trouble.severity is severity for trouble in found.troubles)
        family.add_metric([severity.value], count)
    return family


def _patience() -> Metric:
    family = GaugeMetricFamily(
        "fluxer_patience_seconds", "What may pass before it counts as trouble.", labels=["what"]
    )
    for what, seconds in asdict(status.rules().patience).items():
        family.add_metric([what], seconds)
    return family


def _heard(found: Status) -> Metric:
    family = GaugeMetricFamily(
        "fluxer_heard_age_seconds",
        "Since beat, or a worker of a queue, was last heard of.",
        labels=["who"],
    )
    for who, at in found.heard.items():
        family.add_metric([who], max(0.0, (found.at - at).total_seconds()))
    return family


def _servers(found: Status) -> Iterator[Metric]:
    yield _states(found)
    for name, says, attribute in SERVERS:
        yield _of_servers(name, says, {s: getattr(s, attribute) for s in found.servers})
    probes = {s: s.probe_ms / 1000 if s.probe_ms is not None else None for s in found.servers}
    yield _of_servers("fluxer_server_probe_seconds", "What the last probe took.", probes)
    for name, says, attribute in AGES:
        yield _of_servers(name, says, {s: _age(s, attribute, found.at) for s in found.servers})


def _states(found: Status) -> Metric:
    family = GaugeMetricFamily(
        "fluxer_server_state", "1 for the state that it is in.", labels=[*LABELS, "state"]
    )
    for server in found.servers:
        for state in health.STATES:
            family.add_metric([server.region_id, server.id, state], server.state == state)
    return family


def _of_servers(name: str, says: str, seen: dict[ServerFigures, float | None]) -> Metric:
    """What is not known of a server is left out."""
    family = GaugeMetricFamily(name, says, labels=LABELS)
    for server, value in seen.items():
        if value is not None:
            family.add_metric([server.region_id, server.id], float(value))
    return family


def _age(server: ServerFigures, attribute: str, now: datetime) -> float | None:
    then: datetime | None = getattr(server, attribute)
    return None if then is None else max(0.0, (now - then).total_seconds())


def exposition(now: datetime) -> bytes:
    """Everything, as Prometheus reads it: the tables' registry, then that of the counters."""
    tables = CollectorRegistry()
    tables.register(Tables(now))
    counted = counters.REGISTRY
    if counters.DIRECTORY:
        counted = CollectorRegistry()
        MultiProcessCollector(counted, path=counters.DIRECTORY)
    return generate_latest(tables) + generate_latest(counted)


@csrf_exempt
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """`/metrics`, for who has METRICS_TOKEN; without one configured there is no such page."""
    refusal = _refusal(request.headers.get("Authorization", ""))
    if refusal is not None:
        return envelope(refusal)
    return HttpResponse(exposition(timezone.now()), content_type=CONTENT_TYPE_LATEST)


def _refusal(authorization: str) -> FluxerError | None:
    if not settings.METRICS_TOKEN:
        return NotFound()
    scheme, _, token = authorization.partition(" ")
    given, wanted = token.strip().encode(), settings.METRICS_TOKEN.encode()
    is_right = scheme.lower() == "bearer" and hmac.compare_digest(given, wanted)
    return None if is_right else Unauthorized("Send METRICS_TOKEN as a bearer token.")
