"""`manage.py regions_probe`: ask every server now whether it is there."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from fluxer.errors import ServiceUnavailable
from regions import health, probes
from regions.models import Server


class Command(BaseCommand):
    help = (
        "Asks every voice server whether it is there, all at once, writes down what they said, and "
        "shows it. Ends with 1 when an active one did not answer."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="For a program.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            probes.probe()
        except ServiceUnavailable as error:
            raise CommandError(f"{error}.") from None
        now = timezone.now()
        servers = list(Server.objects.order_by("region_id", "slug"))
        told = [_plain(server, health.state(server, now=now)) for server in servers]
        if options["json"]:
            self.stdout.write(json.dumps(told, indent=2, default=str))
        else:
            lines = [_line(said) for said in told] or ["There are no servers."]
            self.stdout.write("\n".join(lines))
        silent = [str(server) for server in servers if server.is_active and server.failures]
        if silent:
            raise CommandError(f"Did not answer: {', '.join(silent)}.")


def _plain(server: Server, state: dict[str, Any]) -> dict[str, Any]:
    return {
        "server": str(server),
        **state,
        "failures": server.failures,
        "is_active": server.is_active,
        "is_draining": server.is_draining,
    }


def _line(said: dict[str, Any]) -> str:
    took = "" if said["probe_ms"] is None else f" in {said['probe_ms']:g} ms"
    since = f" since {said['since']:%Y-%m-%d %H:%M:%S} UTC" if said["since"] else ""
    words = [name for name, on in (("inactive", not said["is_active"]),
                                   ("draining", said["is_draining"])) if on]  # fmt: skip
    extra = f" ({', '.join(words)})" if words else ""
    error = f": {said['last_error']}" if said["last_error"] else ""
    return f"{said['server']}{extra}: {said['state']}{since}{took}{error}"
