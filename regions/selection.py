"""Which region and server a room should live on. Values in, values out: no tables, no clock.

"First" always means in id order, and distance stands for latency.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal, Protocol

from regions.places import Caller, Coordinates, RegionView, Restriction, ServerView

__all__ = [
    "Caller",
    "Coordinates",
    "RegionView",
    "Restriction",
    "ServerView",
    "choose_region",
    "fnv1a_32",
    "haversine",
    "is_open",
    "nearest",
    "order_servers",
    "placement_order",
    "resolve_voice_region_preference",
    "room_hash",
]

EARTH_RADIUS = 6371.0  # km
SAME_DISTANCE = 1e-6  # km

Mode = Literal["explicit", "automatic"]


class _Flagged(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def is_default(self) -> bool: ...


def is_open(
    restriction: Restriction,
    *,
    user_id: int,
    guild_id: int | None,
    guild_features: Sequence[str] = (),
) -> bool:
    """The restriction does not refuse the user, in this guild (None: in a call)."""
    return restriction.admits(Caller(user_id, guild_id, guild_features))


def fnv1a_32(text: str) -> int:
    """FNV-1a, 32 bits, of the text in UTF-8."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def room_hash(*, guild_id: int | None, channel_id: int) -> int:
    """A number that a room always has, to spread rooms over places that are equally good."""
    return fnv1a_32(f"{'dm' if guild_id is None else guild_id}:{channel_id}")


def haversine(here: Coordinates, there: Coordinates) -> float:
    """The distance in kilometres on a sphere of EARTH_RADIUS."""
    (lat1, lon1), (lat2, lon2) = here, there
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half = (
        math.sin((phi2 - phi1) / 2) ** 2
        + math.cos(phi1) * math.cos(phi2) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(1.0, half)))


def resolve_voice_region_preference(
    *,
    preferred_region_id: str | None,
    accessible_regions: Iterable[_Flagged],
    available_regions: Iterable[_Flagged],
    default_region_id: str | None,
) -> tuple[str | None, Mode]:
    """The region to prefer, and whether that is a wish (explicit) or ours to choose (automatic).

    `available_regions` are all there are; `accessible_regions` those where a room can be made for
    the caller. A wish that is not accessible leaves the choice open: (None, "automatic").
    """
    accessible = sorted(accessible_regions, key=lambda region: region.id)
    available = sorted(available_regions, key=lambda region: region.id)
    accessible_ids = [region.id for region in accessible]
    if preferred_region_id is not None:
        if preferred_region_id in accessible_ids:
            return preferred_region_id, "explicit"
        return None, "automatic"
    candidates = [
        *([default_region_id] if default_region_id in accessible_ids else []),
        *(region.id for region in accessible if region.is_default),
        *(region.id for region in available if region.is_default),
        *accessible_ids,
        *(region.id for region in available),
    ]
    return (candidates[0] if candidates else None), "automatic"


def nearest(regions: Iterable[RegionView], *, to: Coordinates, room: int = 0) -> RegionView | None:
    """The nearest region that has coordinates; among equally near ones the room's hash decides."""
    placed = [(haversine(to, r.coordinates), r) for r in regions if r.coordinates is not None]
    if not placed:
        return None
    least = min(distance for distance, _ in placed)
    tied = sorted((r for d, r in placed if d - least <= SAME_DISTANCE), key=lambda r: r.id)
    return tied[room % len(tied)]


def choose_region(
    regions: Iterable[RegionView],
    *,
    user_id: int,
    guild_id: int | None,
    guild_features: Sequence[str] = (),
    channel_id: int,
    preferred_region_id: str | None = None,
    near: Coordinates | None = None,
    default_region_id: str | None = None,
) -> RegionView | None:
    """The accessible region for a new room, or None where there is none.

    `regions` are all there are, in any order; `near` is where the user is.
    """
    caller = Caller(user_id, guild_id, guild_features)
    available = sorted(regions, key=lambda region: region.id)
    return _choose(
        [region for region in available if region.is_accessible(caller)],
        available=available,
        room=room_hash(guild_id=guild_id, channel_id=channel_id),
        preferred_region_id=preferred_region_id,
        near=near,
        default_region_id=default_region_id,
    )


def _choose(
    accessible: Sequence[RegionView],
    *,
    available: Sequence[RegionView],
    room: int,
    preferred_region_id: str | None,
    near: Coordinates | None,
    default_region_id: str | None,
) -> RegionView | None:
    preference, mode = resolve_voice_region_preference(
        preferred_region_id=preferred_region_id,
        accessible_regions=accessible,
        available_regions=available,
        default_region_id=default_region_id,
    )
    if mode == "automatic" and near is not None:
        close = nearest(accessible, to=near, room=room)
        if close is not None:
            return close
    preferred = (region for region in accessible if region.id == preference)
    return next(preferred, next(iter(accessible), None))


def order_servers(servers: Iterable[ServerView], *, caller: Caller, room: int) -> list[ServerView]:
    """The servers that take new rooms: under their soft limit first, then fewest connections,
    then by the room's hash."""
    usable = [server for server in servers if server.takes_new_rooms(caller)]
    if len(usable) < 2:
        return usable
    usable.sort(key=lambda server: (server.is_over_limit, server.load or 0, server.slug))
    ordered: list[ServerView] = []
    for _, group in groupby(usable, key=lambda server: (server.is_over_limit, server.load or 0)):
        tied = list(group)
        start = room % len(tied)
        ordered += tied[start:] + tied[:start]
    return ordered


def placement_order(
    regions: Iterable[RegionView],
    *,
    user_id: int,
    guild_id: int | None,
    guild_features: Sequence[str] = (),
    channel_id: int,
    preferred_region_id: str | None = None,
    near: Coordinates | None = None,
    default_region_id: str | None = None,
) -> list[ServerView]:
    """Every server to try for a new room, in order; empty: no server can take it.

    The chosen region's come first, then those of the other accessible regions, by their distance
    from the region that was wanted: the one asked for, where it is known, else the chosen one.
    Regions without coordinates come last, in id order.
    """
    caller = Caller(user_id, guild_id, guild_features)
    available = sorted(regions, key=lambda region: region.id)
    room = room_hash(guild_id=guild_id, channel_id=channel_id)
    offers = {
        region.id: order_servers(region.servers, caller=caller, room=room)
        for region in available
        if region.is_open(caller)
    }
    accessible = [region for region in available if offers.get(region.id)]
    chosen = _choose(
        accessible,
        available=available,
        room=room,
        preferred_region_id=preferred_region_id,
        near=near,
        default_region_id=default_region_id,
    )
    if chosen is None:
        return []
    wanted = next((r for r in available if r.id == preferred_region_id), chosen)
    others = [region for region in accessible if region is not chosen]
    if wanted.coordinates is not None:
        others.sort(key=lambda region: _distance(wanted, region))
    return [server for region in (chosen, *others) for server in offers[region.id]]


def _distance(here: RegionView, there: RegionView) -> float:
    """Rounded, so that what is equally far stays in id order."""
    if here.coordinates is None or there.coordinates is None:
        return math.inf
    return round(haversine(here.coordinates, there.coordinates), 6)
