"""The last day as a line: numbers in, points out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 480, 64
GAP = timedelta(minutes=5)  # without a sample for so long, the line breaks
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Curve:
    """What to draw: one path, where its parts do not touch nobody counted."""

    path: str
    most: int
    latest: int

    @property
    def words(self) -> str:
        """The same for who does not see it."""
        return f"Connected in the last 24 hours: at most {self.most}, now {self.latest}."


def curve(samples: Sequence[tuple[datetime, int]], *, now: datetime) -> Curve | None:
    """The line of (moment, number), oldest first; None when there is nothing to draw."""
    if not samples:
        return None
    most = max(number for _, number in samples)
    parts, before = [], None
    for moment, number in samples:
        x = WIDTH * (1 - (now - moment) / DAY)
        y = HEIGHT - 2 - (HEIGHT - 4) * number / max(most, 1)
        is_break = before is None or moment - before > GAP
        parts.append(f"{'M' if is_break else 'L'}{x:.1f} {y:.1f}")
        before = moment
    if len(samples) == 1:
        parts.append("h1")
    return Curve("".join(parts), most, samples[-1][1])
