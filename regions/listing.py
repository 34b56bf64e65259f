"""The regions as a client's menu shows them: those open to the caller, by name. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from regions.places import Caller, Coordinates, RegionView
from regions.selection import nearest


def listing(
    regions: Iterable[RegionView], *, caller: Caller, near: Coordinates | None, room: int = 0
) -> list[dict[str, Any]]:
    """`optimal` is the one that a room without a wish would go to from `near`."""
    shown = sorted((r for r in regions if r.is_open(caller)), key=lambda r: (r.name, r.id))
    accessible = [region for region in shown if region.is_accessible(caller)]
    optimal = nearest(accessible, to=near, room=room) if near is not None else None
    return [
        {
            "id": region.id,
            "name": region.name,
            "emoji": region.emoji,
            "optimal": region is optimal,
            "deprecated": region not in accessible,
            "custom": not region.restriction.is_empty,
            "is_accessible": region in accessible,
            "servers": [{"id": s.slug} for s in region.servers if s.takes_new_rooms(caller)],
        }
        for region in shown
    ]
