"""Is voice well? Totals, every server, and what is wrong in words: for a terminal and a dashboard.

Nothing but our own tables is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from voice import figures, heartbeats, troubles
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
    heard: Mapping[str, datetime] = field(default_factory=dict)  # of beat, and of each queue

    @property
    def is_well(self) -> bool:
        """Nothing keeps anybody from talking; there may be warnings."""
        return not any(trouble.severity is Severity.ERROR for trouble in self.troubles)

    @property
    def heard_at(self) -> datetime | None:
        """When the one that has been silent for longest was heard of; None: one never was."""
        needed = (heartbeats.BEAT, *heartbeats.QUEUES)
        return min(self.heard[n] for n in needed) if self.heard.keys() >= set(needed) else None


def read(now: datetime) -> Status:
    """The status. The number of statements is always the same."""
    found = figures.read(now)
    return Status(
        at=now,
        totals=found.totals,
        regions=found.regions,
        servers=found.servers,
        troubles=troubles.of(found, rules()),
        heard=found.heard,
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
