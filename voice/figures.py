"""What the tables say of voice now, as plain values: read in a handful of statements, however
many rooms, people and servers there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Case, Count, F, Max, Min, Q, When

from regions import health
from regions.models import Address, Region, Server
from voice import heartbeats
from voice.models import DueRoom, RoomPin, VoiceState


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything together. Lateness is in seconds, 0 when nothing waits."""

    connected: int = 0  # connections that are in
    seats: int = 0  # reserved, and their time has not passed
    rooms: int = 0  # channels with a connection or a seat
    pins: int = 0
    pins_expiring: int = 0
    due_rooms: int = 0
    due_lateness: float = 0.0  # of the room that should have been settled first
    rights_changes: int = 0
    rights_lateness: float = 0.0


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """One server: what it is told to do, how it is, and what it carries."""

    pk: int
    region_id: str
    id: str
    is_active: bool
    is_draining: bool
    soft_connection_limit: int | None
    state: str  # one of regions.health.STATES
    since: datetime | None
    added_at: datetime
    probed_at: datetime | None
    probe_ms: float | None
    last_error: str
    webhook_at: datetime | None
    swept_at: datetime | None
    connected: int = 0
    seats: int = 0
    rooms: int = 0  # pinned here
    due_rooms: int = 0
    due_lateness: float = 0.0
    last_join_at: datetime | None = None
    same_as: str | None = None  # another row that describes this very LiveKit server

    def __str__(self) -> str:
        return f"{self.region_id}/{self.id}"

    @property
    def unprobed_since(self) -> datetime:
        """The last probe; of who never had one, when it was added."""
        return self.probed_at or self.added_at

    @property
    def unswept_since(self) -> datetime:
        """The same of the last sweep that saw everything."""
        return self.swept_at or self.added_at

    @property
    def load(self) -> int:
        """What counts against the soft limit."""
        return self.connected + self.seats

    @property
    def takes_new_rooms(self) -> bool:
        return self.is_active and not self.is_draining and self.state in ("up", "unknown")


@dataclass(frozen=True, slots=True)
class RegionFigures:
    """One region; its servers are in `Figures.servers`."""

    id: str
    name: str
    is_default: bool
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it, at one moment."""

    at: datetime
    totals: Totals
    regions: tuple[RegionFigures, ...] = ()
    servers: tuple[ServerFigures, ...] = ()
    heard: Mapping[str, datetime] = field(default_factory=dict)  # of beat, and of each queue


def read(now: datetime) -> Figures:
    """The figures. The number of statements is always the same."""
    return Figures(
        at=now,
        totals=_totals(now),
        regions=tuple(
            RegionFigures(*row)
            for row in Region.objects.order_by("pk").values_list(
                "pk", "name", "is_default", "latitude", "longitude"
            )
        ),
        servers=_servers(now),
        heard=heartbeats.read(),
    )


_TOTALS = """
SELECT states.connected, states.seats, states.rooms, pins.pins, pins.expiring,
    due.rooms, due.lateness, rights.changes, rights.lateness
FROM (
    SELECT count(*) FILTER (WHERE joined_at IS NOT NULL) AS connected,
        count(*) FILTER (WHERE seat_until > %(now)s) AS seats,
        count(DISTINCT channel_id) FILTER (WHERE joined_at IS NOT NULL OR seat_until > %(now)s)
            AS rooms
    FROM voice_voicestate) AS states,
(   SELECT count(*) AS pins, count(expires_at) AS expiring FROM voice_roompin) AS pins,
(   SELECT count(*) AS rooms,
        coalesce(extract(epoch FROM %(now)s -
            min(CASE WHEN attempts > 0 THEN since ELSE due_at END)), 0)::float AS lateness
    FROM voice_dueroom) AS due,
(   SELECT count(*) AS changes,
        coalesce(extract(epoch FROM %(now)s - min(created_at)), 0)::float AS lateness
    FROM directory_rightschange) AS rights
"""
# Each retry is due later: what LiveKit refuses has been waiting since it was asked for first.
_WAITING = Case(When(attempts__gt=0, then=F("since")), default=F("due_at"))


def _totals(now: datetime) -> Totals:
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, {"now": now})
        row: Any = cursor.fetchone()
    connected, seats, rooms, pins, expiring, due, due_late, rights, rights_late = row
    return Totals(
        connected=connected,
        seats=seats,
        rooms=rooms,
        pins=pins,
        pins_expiring=expiring,
        due_rooms=due,
        due_lateness=max(0.0, due_late),
        rights_changes=rights,
        rights_lateness=max(0.0, rights_late),
    )


def _servers(now: datetime) -> tuple[ServerFigures, ...]:
    states = _by_server(
        VoiceState.objects.exclude(server=None),
        connected=Count("pk", filter=Q(joined_at__isnull=False)),
        seats=Count("pk", filter=Q(seat_until__gt=now)),
        last_join_at=Max("joined_at"),
    )
    pins = _by_server(RoomPin.objects.all(), rooms=Count("pk"))
    due = _by_server(DueRoom.objects.all(), due_rooms=Count("pk"), first=Min(_WAITING))
    # Not the secret: reading it would decrypt it, once a server.
    servers = Server.objects.defer("api_key", "api_secret").annotate(swept_at=F("sweep__swept_at"))
    found: list[ServerFigures] = []
    at: dict[Address, ServerFigures] = {}
    for server in servers.order_by("region_id", "slug"):
        counted = {**states.get(server.pk, {}), **pins.get(server.pk, {}), **due.get(server.pk, {})}
        first = at.get(server.address)
        found.append(_figures(server, now, {**counted, "same_as": first and str(first)}))
        at.setdefault(server.address, found[-1])
    return tuple(found)


def _by_server(rows: Any, **counted: Any) -> dict[int, dict[str, Any]]:
    grouped = rows.order_by().values("server_id").annotate(**counted)
    return {row.pop("server_id"): row for row in grouped}


def _figures(server: Any, now: datetime, counted: dict[str, Any]) -> ServerFigures:
    health_now = health.state(server, now=now)
    first = counted.pop("first", None)
    return ServerFigures(
        pk=server.pk,
        region_id=server.region_id,
        id=server.slug,
        is_active=server.is_active,
        is_draining=server.is_draining,
        soft_connection_limit=server.soft_connection_limit,
        state=health_now["state"],
        since=health_now["since"],
        added_at=server.added_at,
        probed_at=server.probed_at,
        probe_ms=server.probe_ms,
        last_error=server.last_error,
        webhook_at=server.webhook_at,
        swept_at=server.swept_at,
        due_lateness=max(0.0, (now - first).total_seconds()) if first else 0.0,
        **counted,
    )
