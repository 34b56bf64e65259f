"""`manage.py voice_status`: is voice well, and what to do if it is not."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from fluxer.staff.words import span
from voice import status
from voice.status import ServerFigures, Severity, Status

_HEADS = ("server", "health", "in", "seats", "limit", "rooms", "due", "probe", "webhook", "swept")


class Command(BaseCommand):
    help = (
        "Shows who is in voice, how every server is, what waits to be done, and what is wrong with"
        " what to do about it. Ends with 0 when nobody is kept from talking (there may be"
        " warnings), with 1 when somebody is, and with 2 when the tables cannot be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="The same for a machine.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = status.read(timezone.now())
        except DatabaseError as error:
            raise CommandError(f"The tables cannot be read: {error}", returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps(_plain(found), indent=2, default=_text))
        else:
            self._show(found)
        if not found.is_well:
            sys.exit(1)

    def _show(self, found: Status) -> None:
        totals = found.totals
        self.stdout.write(
            f"{totals.connected} connected, {totals.seats} seats reserved,"
            f" {totals.rooms} rooms, {totals.pins} pinned ({totals.pins_expiring} expiring)"
        )
        self.stdout.write(
            f"{totals.due_rooms} rooms due{_late(totals.due_lateness)},"
            f" {totals.rights_changes} rights changes waiting{_late(totals.rights_lateness)}"
        )
        heard = (f"{name} {_ago(at, found.at)}" for name, at in sorted(found.heard.items()))
        self.stdout.write(f"heard of: {', '.join(heard) or 'nobody'}")
        rows = [_HEADS, *(_row(server, found.at) for server in found.servers)]
        widths = [max(len(row[n]) for row in rows) for n in range(len(_HEADS))]
        if found.servers:
            self.stdout.write("")
        for row in rows if found.servers else ():
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())
        self.stdout.write("")
        for trouble in found.troubles:
            style = self.style.ERROR if trouble.severity is Severity.ERROR else self.style.WARNING
            self.stdout.write(style(f"{trouble.severity.upper()}: {trouble.sentence}"))
            self.stdout.write(f"  {trouble.remedy}")
        if not found.troubles:
            self.stdout.write(self.style.SUCCESS("All is well."))


def _row(server: ServerFigures, now: datetime) -> tuple[str, ...]:
    told = [server.state]
    told += [] if server.is_active else ["inactive"]
    told += ["draining"] if server.is_draining else []
    return (
        str(server),
        ", ".join(told),
        str(server.connected),
        str(server.seats),
        str(server.soft_connection_limit or "-"),
        str(server.rooms),
        f"{server.due_rooms}{_late(server.due_lateness)}",
        "-" if server.probe_ms is None else f"{server.probe_ms:.0f} ms",
        _ago(server.webhook_at, now),
        _ago(server.swept_at, now),
    )


def _late(seconds: float) -> str:
    return f" ({span(seconds)} late)" if seconds >= 1 else ""


def _ago(then: datetime | None, now: datetime) -> str:
    return "never" if then is None else f"{span(max(0.0, (now - then).total_seconds()))} ago"


def _plain(found: Status) -> dict[str, Any]:
    """`url_name` is for the admin's own pages, and means nothing to a machine elsewhere."""
    plain = asdict(found)
    for server in plain["servers"]:
        del server["pk"]
    plain["troubles"] = [
        {"severity": t.severity, "sentence": t.sentence, "remedy": t.remedy} for t in found.troubles
    ]
    return {"is_well": found.is_well, **plain}


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
