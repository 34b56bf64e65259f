"""What an operator asks for by hand: every difference there is, and an end to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils import timezone

from regions.models import Server
from voice import due
from voice.models import DueRoom
from voice.settlement import settle_room
from voice.sweep import Report, compare


@dataclass(slots=True)
class Outcome:
    """One server: what was found, which rooms were settled, and which could not be."""

    report: Report
    settled: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Everything could be looked at, and what was tried went through."""
        return not (self.report.error or self.failed)

    def plain(self) -> dict[str, Any]:
        """The same for a program."""
        report = self.report
        return {
            "server": str(report.server),
            "rooms": report.rooms,
            "participants": report.participants,
            "error": report.error,
            "differences": [
                {"room": one.room, "kind": str(one.kind), "identity": one.identity}
                for one in report.found
            ],
            "settled": self.settled,
            "failed": self.failed,
        }


def reconcile(
    servers: Iterable[Server], *, is_dry: bool, watch: Callable[[str], object]
) -> Iterable[Outcome]:
    """One outcome a server, as each is done. `is_dry` looks, and changes nothing.

    `watch` is told in a few words what is under way.
    """
    for server in servers:
        if server.down_since is not None:
            yield Outcome(Report(server, error=f"down since {server.down_since:%Y-%m-%d %H:%M:%S}"))
            continue
        watch(f"{server}: listing its rooms")
        outcome = Outcome(compare(server, writes=not is_dry))
        if not is_dry:
            _settle(outcome, watch)
        yield outcome


def _settle(outcome: Outcome, watch: Callable[[str], object]) -> None:
    server_id, rooms = outcome.report.server.pk, outcome.report.differing
    due.found(*((server_id, room) for room in rooms))
    for number, room in enumerate(rooms, 1):
        watch(f"{outcome.report.server}: settling {number} of {len(rooms)} rooms")
        bad = Q(attempts__gt=0)
        if not settle_room(server_id=server_id, room=room):
            # A worker has it, or nobody; unless one was faster, and only looks again in a moment.
            bad |= Q(due_at__lte=timezone.now()) | Q(leased_until__gt=timezone.now())
        is_done = not DueRoom.objects.filter(bad, server=server_id, room=room).exists()
        (outcome.settled if is_done else outcome.failed).append(room)
