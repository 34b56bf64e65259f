"""Is voice well? Totals, every server, and what is wrong in words: for a terminal and a dashboard.

Nothing but our own tables is asked.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from voice import figures, troubles
from voice.figures import RegionFigures, ServerFigures, Totals
from voice.troubles import Patience, Rules, Severity, Trouble

__all__ = ["RegionFigures", "ServerFigures", "Severity", "Status", "Totals", "Trouble", "read"]


@dataclass(frozen=True, slots=True)
class Status:
    """Voice at one moment."""

    at: datetime
    totals: Totals
    regions: tuple[RegionFigures, ...]
    servers: tuple[ServerFigures, ...]
    troubles: tuple[Trouble, ...]
    heard_at: datetime | None = None

    @property
    def is_well(self) -> bool:
        """Nothing keeps anybody from talking; there may be warnings."""
        return not any(trouble.severity is Severity.ERROR for trouble in self.troubles)


def read(now: datetime) -> Status:
    """The status. The number of statements is always the same."""
    found = figures.read(now)
    return Status(
        at=now,
        totals=found.totals,
        regions=found.regions,
        servers=found.servers,
        troubles=troubles.of(found, rules()),
        heard_at=found.heard_at,
    )


def rules() -> Rules:
    """What the settings make of "too long"."""
    return Rules(
        default_region=settings.VOICE_DEFAULT_REGION,
        patience=Patience(
            probe=3 * settings.VOICE_PROBE_INTERVAL,
            sweep=6 * settings.VOICE_SWEEP_INTERVAL,
        ),
    )
