"""Regions on a map of the world: figures in, circles and labels out. Pure.

Equirectangular: a degree is a unit, so that a position is its coordinates and no library is needed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from voice.figures import RegionFigures, ServerFigures

NORTH, SOUTH = 80, -60  # the rest of the world has no servers
WIDTH, HEIGHT = 360, NORTH - SOUTH
LINE = 8.5  # the height of a line of a label, on a phone
LETTER = 4.5  # the width of a letter of it, about

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
    radius: float = 2.5
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
        radius=min(2.5 + load**0.5 / 6, 9.0),
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
    """From north to south, each label beside its circle, as near as it covers nothing else."""
    boxes = [_circle(spot) for spot in spots]
    done = []
    for spot in sorted(spots, key=lambda spot: (spot.y, spot.x)):
        label, box = next(
            (label, box)
            for label, box in _places(spot)
            if not any(_meet(box, other) for other in boxes)
        )
        boxes.append(box)
        done.append(label)
    return done


def _places(spot: Spot) -> Iterator[tuple[Spot, Box]]:
    """Where its label may be, the best first: without end, so one of them is free."""
    x, y, beside = spot.x or 0.0, spot.y or 0.0, spot.radius + 2
    text = spot.figure if spot.kind == "up" else f"{spot.figure} {spot.kind}"
    width = LETTER * max(len(spot.name), len(text))
    for step in count():
        for top in (y - LINE + step, y - LINE - step):
            for left, at, anchor in (
                (x + beside, x + beside, "start"),
                (x - beside - width, x - beside, "end"),
            ):
                if 0 <= left <= WIDTH - width or step > HEIGHT:
                    base = round(top + LINE - 3, 1)
                    label = replace(spot, label_x=round(at, 1), label_y=base, anchor=anchor)
                    yield label, (left, left + width, top, top + 2 * LINE)


def _circle(spot: Spot) -> Box:
    x, y = spot.x or 0.0, spot.y or 0.0
    return x - spot.radius, x + spot.radius, y - spot.radius, y + spot.radius


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
