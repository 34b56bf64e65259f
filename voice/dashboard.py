"""The first page of the admin: is voice well, what is wrong, and what to do first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone

from voice import atlas, curve, samples, status
from voice.status import Status, Trouble

SEES = ("regions.view_server", "regions.change_server")  # either: as with the list of servers
SHOWN = 100  # servers in the table; the list has all of them


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps, done or to be done."""

    sentence: str
    is_done: bool
    url: str = ""


def read(user: Any) -> dict[str, Any] | None:
    """What the page shows to this person. The number of statements is always the same."""
    if not any(user.has_perm(needed) for needed in SEES):
        return None
    now = timezone.now()
    found = status.read(now)
    return {
        "status": found,
        "atlas": atlas.draw(found.regions, found.servers),
        "curve": curve.curve(samples.of_a_day(now=now), now=now),
        "troubles": [(trouble, _link(trouble, user)) for trouble in found.troubles],
        "steps": steps(found, user),
        "servers": found.servers[:SHOWN],
        "left_out": max(0, len(found.servers) - SHOWN),
        "strangers": samples.strangers_of_the_last_hour(now=now),
        "heard_at": found.heard_at,
    }


def _link(trouble: Trouble, user: Any) -> str:
    """The page that mends it; none for who may not open it."""
    return _page(user, trouble.url_name, *trouble.url_args)


def _page(user: Any, url_name: str, *args: object) -> str:
    """The address of one of the admin's pages; none for who may not open it."""
    app, model, page = url_name.removeprefix("admin:").rsplit("_", 2)
    verbs = ("add",) if page == "add" else ("view", "change")
    may = any(user.has_perm(f"{app}.{verb}_{model}") for verb in verbs)
    return reverse(url_name, args=args) if may else ""


def steps(found: Status, user: Any) -> Sequence[Step]:
    """From nothing to a server that people can talk on; none once one works."""
    working = [server for server in found.servers if server.takes_new_rooms and server.probed_at]
    if working:
        return ()
    first = found.servers[0] if found.servers else None
    mend = _page(user, "admin:regions_server_change", first.pk) if first else ""
    return (
        Step(
            "Add a region: a name, an id like us-west, and where it is.",
            bool(found.regions),
            _page(user, "admin:regions_region_add"),
        ),
        Step(
            "Add a LiveKit server to it: its wss:// address, API key and secret. It is tried at"
            " once, and you are told what is wrong.",
            bool(found.servers),
            _page(user, "admin:regions_server_add"),
        ),
        Step(
            "Put its webhook address into LiveKit's configuration, with auto_create: false; the"
            " server's page has both ready to copy.",
            any(server.webhook_at for server in found.servers),
            mend,
        ),
        Step(
            "Have a worker and beat running: they probe the server, and it takes rooms from then"
            " on.",
            found.heard_at is not None and _is_fresh(found.heard_at, found.at),
        ),
    )


def _is_fresh(heard_at: datetime, now: datetime) -> bool:
    return (now - heard_at).total_seconds() < status.rules().patience.heard
