"""Reads all regions and servers as the plain values that selection takes. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from fluxer.livekit import LiveKitServer
from regions.errors import UnknownVoiceServer
from regions.models import Region, Server
from regions.places import RegionView, Restriction, ServerView

# One statement, so that the regions and their servers are of one moment. No secret is read.
_STATEMENT = f"""
SELECT r.id, r.name, r.emoji, r.latitude, r.longitude, r.is_default,
    r.vip_only, r.required_guild_features, r.allowed_guild_ids, r.allowed_user_ids,
    s.id, s.region_id, s.slug, s.endpoint,
    s.is_active, s.is_draining, s.down_since IS NOT NULL, s.failing_since IS NOT NULL,
    s.suspect_until IS NOT NULL AND s.suspect_until > %s, s.soft_connection_limit,
    s.vip_only, s.required_guild_features, s.allowed_guild_ids, s.allowed_user_ids
FROM {Region._meta.db_table} r LEFT JOIN {Server._meta.db_table} s ON s.region_id = r.id
ORDER BY r.id COLLATE "C", s.slug COLLATE "C"
"""  # noqa: S608 constants


@dataclass(frozen=True, slots=True)
class Place:
    """A server, with what a token and a call need. The secret stays out of its repr."""

    server_id: int
    region_id: str
    slug: str
    endpoint: str
    livekit: LiveKitServer


def load(loads: Mapping[int, int] | None = None) -> list[RegionView]:
    """All regions in id order, each with all its servers in id order. One statement.

    `loads` says how many live connections and seats each server has; a server that it leaves out
    has none. Without `loads` they are unknown.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, [timezone.now()])
        rows = cursor.fetchall()
    regions: dict[str, tuple[Any, ...]] = {}
    servers: dict[str, list[ServerView]] = {}
    for row in rows:
        regions[row[0]] = row[:10]
        found = servers.setdefault(row[0], [])
        if row[10] is not None:
            found.append(_server(row[10:], None if loads is None else loads.get(row[10], 0)))
    return [_region(row, tuple(servers[id_])) for id_, row in regions.items()]


def place(server_id: int) -> Place:
    """Where a server is and how to call it. UnknownVoiceServer when it has been deleted."""
    server = Server.objects.filter(pk=server_id).first()
    if server is None:
        raise UnknownVoiceServer
    return Place(server.pk, server.region_id, server.slug, server.endpoint, server.livekit)


def livekit(server_id: int) -> LiveKitServer:
    """What a call to a server needs. UnknownVoiceServer when it has been deleted."""
    return place(server_id).livekit


def _region(row: tuple[Any, ...], servers: tuple[ServerView, ...]) -> RegionView:
    id_, name, emoji, latitude, longitude, is_default, *restriction = row
    return RegionView(
        id=id_,
        name=name,
        emoji=emoji,
        coordinates=None if latitude is None else (latitude, longitude),
        is_default=is_default,
        restriction=_restriction(*restriction),
        servers=servers,
    )


def _server(row: tuple[Any, ...], load: int | None) -> ServerView:
    id_, region_id, slug, endpoint, active, draining, down, failing, suspect, limit = row[:10]
    return ServerView(
        id=id_,
        region_id=region_id,
        slug=slug,
        endpoint=endpoint,
        is_active=active,
        is_draining=draining,
        is_down=down,
        is_failing=failing,
        is_suspect=suspect,
        soft_connection_limit=limit,
        load=load,
        restriction=_restriction(*row[10:]),
    )


_OPEN = Restriction()


def _restriction(
    vip_only: bool, features: list[str], guild_ids: list[int], user_ids: list[int]
) -> Restriction:
    if not (vip_only or features or guild_ids or user_ids):
        return _OPEN
    return Restriction(vip_only, tuple(features), tuple(guild_ids), tuple(user_ids))
