"""Can anybody talk at all? What is wrong with the regions, in sentences with hints.

Run by `manage.py check` and `migrate`, which may ask the database, and warnings only: they are
about what an operator has yet to do, and everything but joining works without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from fluxer.secrets import SecretUnreadable
from regions import health
from regions.models import Address, Region, Server

_ADD = "Add one with PUT /service/regions/{id}, in the admin, or with `manage.py regions_import`."


@checks.register(checks.Tags.database)
def regions(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Everything that keeps rooms from being made, or makes the choice of a region odd."""
    if not databases or "default" not in databases:
        return []
    try:
        with transaction.atomic():
            return list(_lacking())
    except (OperationalError, InterfaceError):
        told = "The database does not answer: nothing is known of regions and servers."
        return [checks.Warning(told, hint="Start PostgreSQL; see DATABASE_URL.", id="regions.W007")]
    except DatabaseError:  # not migrated yet: `migrate` is asked first, and must not alarm anybody
        return []


def usable_server_exists() -> bool:
    """Some server could take a new room of somebody."""
    return health.usable(now=timezone.now()).exists()


def _lacking() -> Iterator[checks.CheckMessage]:
    ids = set(Region.objects.values_list("pk", flat=True))
    if not ids:
        yield checks.Warning(
            "There is no voice region: nobody can join voice.", hint=_ADD, id="regions.W001"
        )
    elif not usable_server_exists():
        yield checks.Warning(
            "No voice server could take a room: every new join is answered with 503.",
            hint=_why_not(),
            id="regions.W002",
        )
    configured = settings.VOICE_DEFAULT_REGION
    if configured and configured not in ids:
        yield checks.Warning(
            f"VOICE_DEFAULT_REGION names {configured!r}, and there is no such region.",
            hint=f"Known regions: {', '.join(sorted(ids)) or 'none'}.",
            id="regions.W004",
        )
    elif ids and not configured and not Region.objects.filter(is_default=True).exists():
        yield checks.Warning(
            "No region is the default: rooms without a wish go to the first one that works.",
            hint="Set is_default on a region, or VOICE_DEFAULT_REGION.",
            id="regions.W003",
        )
    at: dict[Address, Server] = {}
    for server in Server.objects.only("region_id", "slug", "endpoint", "api_url", "api_secret"):
        first = at.setdefault(server.address, server)
        if first is not server:
            yield checks.Warning(
                f"{first} and {server} are one LiveKit server: each throws the other's people out.",
                hint="Keep one of them; drain the other, and delete it.",
                id="regions.W006",
            )
        try:
            server.api_secret  # noqa: B018 opened
        except SecretUnreadable as error:
            yield checks.Warning(f"{server} cannot be used.", hint=f"{error}.", id="regions.W005")


def _why_not() -> str:
    states = list(Server.objects.only("is_active", "is_draining", "down_since", "failing_since"))
    if not states:
        return "No region has a server. " + _ADD.replace("{id}", "{id}/servers/{id}")
    counted = {
        "inactive": sum(not server.is_active for server in states),
        "draining": sum(server.is_draining for server in states),
        "down": sum(server.down_since is not None for server in states),
        "failing": sum(server.failing_since is not None for server in states),
    }
    told = ", ".join(f"{count} {word}" for word, count in counted.items() if count)
    return f"Of {len(states)}: {told or 'all suspect, until the next probe'}."
