"""Regions on a map of the world: figures in, circles and labels out. Pure.

Equirectangular: a degree is a unit, so that a position is its coordinates and no library is needed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from voice.figures import RegionFigures, ServerFigures

NORTH, SOUTH = 80, -60  # the rest of the world has no servers
WIDTH, HEIGHT = 360, NORTH - SOUTH
LINE = 10.0  # the height of a line of a label, on a phone
LETTER = 5.0  # the width of a letter of it, about

Box = tuple[float, float, float, float]  # left, right, top, bottom


@dataclass(frozen=True, slots=True)
class Spot:
    """A region. `kind`: up, busy (over a soft limit), strained (some servers are out), drained or
    out (it takes no new rooms), down."""

    region_id: str
    name: str
    kind: str
    load: int
    limit: int | None
    servers: int
    usable: int
    is_default: bool = False
    x: float | None = None
    y: float | None = None
    radius: float = 3.0
    label_x: float = 0.0
    label_y: float = 0.0
    anchor: str = "start"

    @property
    def figure(self) -> str:
        """Its load against what it should carry."""
        return f"{self.load} / {self.limit}" if self.limit else str(self.load)

    @property
    def words(self) -> str:
        """All of it, for who hovers and for who does not see."""
        takes = f"{self.usable} of {self.servers} servers take new rooms"
        return f"{self.name}: {self.kind}, {self.figure} connections, {takes}"


@dataclass(frozen=True, slots=True)
class Atlas:
    """What to draw, and the regions that have no place on it."""

    spots: Sequence[Spot] = ()
    elsewhere: Sequence[Spot] = ()
    meridians: Sequence[int] = field(default_factory=lambda: range(30, WIDTH, 30))
    parallels: Sequence[int] = field(default_factory=lambda: [NORTH - d for d in (60, 30, 0, -30)])


def draw(regions: Iterable[RegionFigures], servers: Iterable[ServerFigures]) -> Atlas:
    """The regions where they are, with labels that do not cover each other."""
    by_region: dict[str, list[ServerFigures]] = {}
    for server in servers:
        by_region.setdefault(server.region_id, []).append(server)
    found = [_spot(region, by_region.get(region.id, [])) for region in regions]
    placed = [spot for spot in found if spot.x is not None]
    return Atlas(_labelled(placed), [spot for spot in found if spot.x is None])


def _spot(region: RegionFigures, servers: Sequence[ServerFigures]) -> Spot:
    load = sum(server.load for server in servers)
    active = [server for server in servers if server.is_active]
    limits = [server.soft_connection_limit for server in active]
    limit = sum(one or 0 for one in limits) if limits and all(limits) else None
    spot = Spot(
        region_id=region.id,
        name=region.name,
        kind=_kind(active, load, limit),
        load=load,
        limit=limit,
        servers=len(servers),
        usable=sum(server.takes_new_rooms for server in servers),
        is_default=region.is_default,
        radius=min(3.0 + load**0.5 / 4, 12.0),
    )
    if region.latitude is None or region.longitude is None:
        return spot
    latitude = max(SOUTH + 2, min(NORTH - 2, region.latitude))
    return replace(spot, x=round(region.longitude + 180, 1), y=round(NORTH - latitude, 1))


def _kind(active: Sequence[ServerFigures], load: int, limit: int | None) -> str:
    usable = [server for server in active if server.takes_new_rooms]
    if not active:
        return "out"
    if not usable:
        is_told = all(s.is_draining and s.state in ("up", "unknown") for s in active)
        return "drained" if is_told else "down"
    if limit is not None and load > limit:
        return "busy"
    return "up" if len(usable) == len(active) else "strained"


def _labelled(spots: Sequence[Spot]) -> list[Spot]:
    """From north to south; a label that would cover a circle or another goes further down."""
    boxes = [_circle(spot) for spot in spots]
    done = []
    for spot in sorted(spots, key=lambda spot: (spot.y, spot.x)):
        x, beside = spot.x or 0.0, spot.radius + 2
        width = LETTER * max(len(spot.name), len(spot.figure) + len(spot.kind))
        is_left = x + beside + width > WIDTH
        left = x - beside - width if is_left else x + beside
        top = (spot.y or 0.0) - LINE
        while any(_meet((left, left + width, top, top + 2 * LINE), box) for box in boxes):
            top += 1
        boxes.append((left, left + width, top, top + 2 * LINE))
        done.append(
            replace(
                spot,
                label_x=round(x - beside if is_left else left, 1),
                label_y=round(top + LINE - 3, 1),
                anchor="end" if is_left else "start",
            )
        )
    return done


def _circle(spot: Spot) -> Box:
    x, y = spot.x or 0.0, spot.y or 0.0
    return x - spot.radius, x + spot.radius, y - spot.radius, y + spot.radius


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
