"""`manage.py voice_reconcile`: what the sweep would do, and do it."""

import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fluxer.progress import Progress
from regions.models import Server
from voice import tasks
from voice.differences import Kind
from voice.reconciling import Outcome, reconcile

WORDS = {
    Kind.STRANGER: "nobody of ours: out, unless they may return",
    Kind.UNHEARD: "a visit that no webhook told of: in, if they may, else out",
    Kind.RIGHTS: "may do something else than was decided: set right",
    Kind.FOUND: "had been missing, and is there",
    Kind.MISSING: "not in the room: ended, if the next listing lacks them too",
    Kind.LOST_ROOM: "the room is gone: made again",
}


class Command(BaseCommand):
    help = (
        "Compares LiveKit with the tables, says in what they differ, and settles it. Ends with 1 "
        "when a server could not be asked or a room could not be settled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--server", metavar="REGION/ID", help="Only this one.")
        parser.add_argument("--dry-run", action="store_true", help="Say it, and change nothing.")
        parser.add_argument("--json", action="store_true", help="For a program.")

    def handle(self, *args: Any, server: str | None, dry_run: bool, **options: Any) -> None:
        outcomes = []
        progress = Progress(self.stderr)
        try:
            for outcome in reconcile(_servers(server), is_dry=dry_run, watch=progress):
                outcomes.append(outcome)
                progress("")
                if not options["json"]:
                    self._tell(outcome, dry_run)
        except BaseException:
            progress("")
            raise
        if not dry_run and server is None:
            tasks.tidy()
        if options["json"]:
            said = {"dry_run": dry_run, "servers": [outcome.plain() for outcome in outcomes]}
            self.stdout.write(json.dumps(said, indent=2))
        bad = [outcome for outcome in outcomes if not outcome.is_good]
        if bad:
            raise CommandError(f"{len(bad)} of {len(outcomes)} servers were not reconciled.")

    def _tell(self, outcome: Outcome, dry_run: bool) -> None:
        report = outcome.report
        if report.error:
            self.stdout.write(f"{report.server}: {report.error}")
        self.stdout.write(
            f"{report.server}: {report.rooms} rooms, {report.participants} participants, "
            f"{len(report.differing)} rooms differ"
        )
        for one in report.found:
            who = f" {one.identity}" if one.identity else ""
            self.stdout.write(f"  {one.room}{who}: {WORDS[one.kind]}")
        for room in outcome.failed:
            self.stdout.write(f"  {room}: could not be settled now; it stays due")
        if report.found and dry_run:
            self.stdout.write("  This was a dry run: nothing was changed.")


def _servers(named: str | None) -> Sequence[Server]:
    servers = Server.objects.order_by("region_id", "slug")
    if named is None:
        return list(servers)
    region_id, _, slug = named.partition("/")
    found = list(servers.filter(region_id=region_id, slug=slug))
    if not found:
        raise CommandError(f"There is no server {named}: name one as REGION/ID.")
    return found
