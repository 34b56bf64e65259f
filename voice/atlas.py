"""Regions on a map of the world: figures in, circles and labels out. Pure.

Equirectangular: a degree is a unit, so that a position is its coordinates and no library is needed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from voice.figures import RegionFigures, ServerFigures

NORTH, SOUTH = 80, -60  # the rest of the world has no servers
WIDTH, HEIGHT = 360, NORTH - SOUTH
LINE = 8.5  # the height of a line of a label, on a phone
LETTER = 4.5  # the width of a letter of it, about
LONGEST = 28  # letters of a name on the map
AWAY = 4 * LINE  # a label further from its circle than this would be anybody's
# What must be seen is drawn last, over the others, and gets the nearest label.
_KINDS = ("up", "out", "drained", "strained", "busy", "down")

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
    label_x: float | None = None
    label_y: float = 0.0
    anchor: str = "start"

    @property
    def short(self) -> str:
        """Its name, as far as a label goes."""
        is_long = len(self.name) > LONGEST
        return f"{self.name[: LONGEST - 1].rstrip()}…" if is_long else self.name

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
    """What to draw, who has no room for a name there, and who has no place on it."""

    spots: Sequence[Spot] = ()
    unnamed: Sequence[Spot] = ()
    elsewhere: Sequence[Spot] = ()


def draw(regions: Iterable[RegionFigures], servers: Iterable[ServerFigures]) -> Atlas:
    """The regions where they are, with labels that do not cover each other."""
    by_region: dict[str, list[ServerFigures]] = {}
    for server in servers:
        by_region.setdefault(server.region_id, []).append(server)
    found = [_spot(region, by_region.get(region.id, [])) for region in regions]
    placed = [spot for spot in found if spot.x is not None]
    labelled = _labelled(placed)
    return Atlas(
        spots=sorted(labelled, key=lambda spot: _KINDS.index(spot.kind)),
        unnamed=[spot for spot in labelled if spot.label_x is None],
        elsewhere=[spot for spot in found if spot.x is None],
    )


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
    return replace(
        spot,
        x=round(_within(region.longitude + 180, WIDTH, spot.radius), 1),
        y=round(_within(NORTH - region.latitude, HEIGHT, spot.radius), 1),
    )


def _within(at: float, most: float, radius: float) -> float:
    return max(radius, min(most - radius, at))


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
    """Each label beside its circle, as near as it covers nothing else; without room, none."""
    boxes = [_circle(spot) for spot in spots]
    done = []
    for spot in sorted(spots, key=lambda spot: (-_KINDS.index(spot.kind), spot.y, spot.x)):
        free = (
            (label, box)
            for label, box in _places(spot)
            if not any(_meet(box, other) for other in boxes)
        )
        label, box = next(free, (spot, None))
        boxes += [box] if box else []
        done.append(label)
    return done


def _places(spot: Spot) -> Iterator[tuple[Spot, Box]]:
    """Where its label may be, the best first."""
    x, y, beside = spot.x or 0.0, spot.y or 0.0, spot.radius + 2
    text = spot.figure if spot.kind == "up" else f"{spot.figure} {spot.kind}"
    width = LETTER * max(len(spot.short), len(text))
    for step in range(int(AWAY)):
        for top in (y - LINE + step, y - LINE - step):
            for left, at, anchor in (
                (x + beside, x + beside, "start"),
                (x - beside - width, x - beside, "end"),
            ):
                if 0 <= left <= WIDTH - width and 0 <= top <= HEIGHT - 2 * LINE:
                    base = round(top + LINE - 3, 1)
                    label = replace(spot, label_x=round(at, 1), label_y=base, anchor=anchor)
                    yield label, (left, left + width, top, top + 2 * LINE)


def _circle(spot: Spot) -> Box:
    x, y = spot.x or 0.0, spot.y or 0.0
    return x - spot.radius, x + spot.radius, y - spot.radius, y + spot.radius


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
