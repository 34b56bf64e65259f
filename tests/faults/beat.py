"""Beat and worker in the test's hand: nothing happens between two ticks."""

from collections.abc import Callable

from django.conf import settings
from django.utils import timezone

from regions import probes
from regions.models import Server
from voice import rights, tasks, waiting
from voice.settlement import settle_room
from voice.sweep import Report, sweep


class Beat:
    """Each method is one round of what the schedule would bring."""

    def __init__(self, later: Callable[[float], None]) -> None:
        self.later = later

    def settle(self) -> int:
        """Every room that is due; how many were settled."""
        rights.drain()
        rooms = list(waiting.due(now=timezone.now()))
        return sum(settle_room(server_id=server_id, room=room) for server_id, room in rooms)

    def sweep(self) -> list[Report]:
        """One sweep of every server, and what it finds is settled."""
        servers = Server.objects.filter(down_since=None).order_by("pk").values_list("pk", flat=True)
        reports = [sweep(server_id=server_id) for server_id in servers]
        self.settle()
        return [report for report in reports if report is not None]

    def probe(self) -> None:
        """One round of probes."""
        probes.probe()

    def tidy(self) -> None:
        """Seats, lost servers, pins."""
        tasks.tidy()

    def interval(self, rounds: int = 1) -> None:
        """So many sweep intervals pass, with all that beat asks for in each."""
        for _ in range(rounds):
            self.later(settings.VOICE_SWEEP_INTERVAL)
            self.probe()
            self.settle()
            self.sweep()
            self.tidy()
