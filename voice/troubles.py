"""What is wrong with voice, in words, and what to do about it. Figures in, sentences out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from fluxer.staff.words import span
from voice import heartbeats
from voice.figures import Figures, ServerFigures
from voice.times import age, moment, since


class Severity(StrEnum):
    """How bad it is: an error keeps somebody from talking, a warning is about to."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: a sentence, what to do, and the page of the admin that mends it."""

    severity: Severity
    sentence: str
    remedy: str
    url_name: str  # of the admin, for reverse(url_name, args=url_args)
    url_args: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds may pass before something counts as trouble."""

    probe: float = 30
    sweep: float = 60
    due: float = 15
    webhook: float = 30
    heard: float = 60  # a sign of life comes every 10 s


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration has to do with it."""

    default_region: str = ""
    patience: Patience = field(default_factory=Patience)


def of(figures: Figures, rules: Rules) -> tuple[Trouble, ...]:
    """Everything that is wrong, errors first, else in the order in which to look at it."""
    found = [*_places(figures, rules), *_clock(figures, rules), *_servers(figures, rules)]
    return tuple(sorted(found, key=lambda trouble: trouble.severity is Severity.WARNING))


def _error(sentence: str, remedy: str, url_name: str, *url_args: object) -> Trouble:
    return Trouble(Severity.ERROR, sentence, remedy, url_name, url_args)


def _warning(sentence: str, remedy: str, url_name: str, *url_args: object) -> Trouble:
    return Trouble(Severity.WARNING, sentence, remedy, url_name, url_args)


def _places(figures: Figures, rules: Rules) -> Iterator[Trouble]:
    """Is there anywhere to go?"""
    ids = {region.id for region in figures.regions}
    if not ids:
        yield _error(
            "There is no voice region: nobody can join voice.",
            "Add a region and a server in it, here or with `manage.py regions_import`.",
            "admin:regions_region_add",
        )
        return
    usable = {server.region_id for server in figures.servers if server.takes_new_rooms}
    if not figures.servers:
        yield _error(
            "No region has a server: nobody can join voice.",
            "Add a LiveKit server to a region.",
            "admin:regions_server_add",
        )
    elif not usable:
        yield _error(
            "No voice server takes new rooms: every new join is answered with 503.",
            "Restore a draining or inactive server, or bring one that is down back.",
            "admin:regions_server_changelist",
        )
    else:
        for region in figures.regions:
            if region.id not in usable:
                yield _warning(
                    f"{region.name} takes no new rooms: who wants it is sent elsewhere.",
                    "Restore one of its servers, or add one.",
                    "admin:regions_region_change",
                    region.id,
                )
    yield from _default(figures, rules, ids)


def _default(figures: Figures, rules: Rules, ids: set[str]) -> Iterator[Trouble]:
    if rules.default_region and rules.default_region not in ids:
        yield _warning(
            f"VOICE_DEFAULT_REGION names {rules.default_region}, and there is no such region.",
            f"Set it to one of: {', '.join(sorted(ids))}.",
            "admin:regions_region_changelist",
        )
    elif not rules.default_region and not any(region.is_default for region in figures.regions):
        yield _warning(
            "No region is the default: rooms without a wish go to the first one that works.",
            "Make one region the default.",
            "admin:regions_region_changelist",
        )


def _clock(figures: Figures, rules: Rules) -> Iterator[Trouble]:
    """Do beat and the workers work?"""
    totals, patience = figures.totals, rules.patience
    yield from _silent(figures, patience)
    # Those of a server that does not answer wait for it, and are its trouble.
    late = max((s.due_lateness for s in figures.servers if _answers(s)), default=0.0)
    if late > patience.due:
        yield _warning(
            f"Rooms have been waiting {span(late)} to be settled: LiveKit lags behind.",
            "See that the worker runs; start more of them if it is always busy.",
            "admin:voice_dueroom_changelist",
        )
    if totals.rights_lateness > patience.due:
        yield _warning(
            f"Changed rights have been waiting {span(totals.rights_lateness)} to be applied.",
            "See that the worker runs; its log says what keeps failing.",
            "admin:voice_voicestate_changelist",
        )


def _silent(figures: Figures, patience: Patience) -> Iterator[Trouble]:
    """Who has not been heard of. What a worker did not take while nobody asked is not its fault."""
    page = "admin:voice_dueroom_changelist"
    beat = figures.heard.get(heartbeats.BEAT)
    is_silent = beat is None or age(beat, figures.at) > patience.heard
    if is_silent:
        yield _error(
            f"beat has not been heard of {since(beat)}: no server is probed or swept.",
            "Start beat, exactly one. If it runs, see in its log whether it reaches Redis and"
            " PostgreSQL.",
            page,
        )
    asked_until = beat if is_silent and beat else figures.at
    for queue, lacking in _LACKING.items():
        heard = figures.heard.get(queue)
        if heard is None or age(heard, asked_until) > patience.heard:
            yield _error(
                f"No worker has taken anything of `{queue}` {since(heard)}: {lacking}.",
                "Start a worker for it (WORKER_QUEUES). If one runs, see in its log and in beat's"
                " whether they reach Redis.",
                page,
            )
            is_silent = True
    newest = max((s.unprobed_since for s in figures.servers), default=figures.at)
    if not is_silent and age(newest, figures.at) > patience.probe:
        probed = max((s.probed_at for s in figures.servers if s.probed_at), default=None)
        yield _error(
            f"No server has been probed {since(probed)}, though beat and a worker run.",
            "The worker's log says what fails in regions.tasks.probe_servers.",
            page,
        )


_LACKING = {
    "now": "kicks and moves reach LiveKit late, and no server is probed",
    "sweep": "no server is compared with our tables, and lapsed seats stay",
}


def _servers(figures: Figures, rules: Rules) -> Iterator[Trouble]:
    for server in figures.servers:
        yield from _server(server, figures.at, rules.patience)


def _server(server: ServerFigures, at: datetime, patience: Patience) -> Iterator[Trouble]:
    page = ("admin:regions_server_change", server.pk)
    if server.state == "down" and server.is_active:
        yield _error(
            f"{server} is down since {moment(server.since)}: {server.last_error or 'no answer'}.",
            "Start LiveKit there, or mend the way to it. Its rooms move with their next token.",
            *page,
        )
    elif server.state == "failing" and server.is_active:
        yield _error(
            f"The API of {server} fails since {moment(server.since)}:"
            f" {server.last_error or 'no reason known'}.",
            "Compare its API key and secret with LiveKit's, then look into LiveKit's log.",
            *page,
        )
    if _answers(server) and age(server.unswept_since, at) > patience.sweep:
        yield _warning(
            f"{server} has not been compared with our tables {since(server.swept_at)}.",
            "See that a worker takes the queue `sweep`.",
            *page,
        )
    if _is_deaf(server, patience):
        yield _warning(
            f"Webhooks do not arrive from {server}: people are only seen by the sweep.",
            "Put its webhook address into LiveKit's configuration, with its own API key.",
            *page,
        )
    if server.same_as:
        yield _error(
            f"{server.same_as} and {server} are one LiveKit server: each throws the other's people"
            " out.",
            "Keep one of them; drain the other, and delete it.",
            *page,
        )
    limit = server.soft_connection_limit
    if limit and server.load > limit:
        yield _warning(
            f"{server} carries {server.load} connections, more than its {limit}.",
            "Add a server to its region, or raise the limit.",
            *page,
        )


def _answers(server: ServerFigures) -> bool:
    return server.state not in ("down", "failing")


def _is_deaf(server: ServerFigures, patience: Patience) -> bool:
    """Somebody's join was found by a listing, and no webhook came with it."""
    if server.last_join_at is None:
        return False
    heard = server.webhook_at
    grace = timedelta(seconds=patience.webhook)
    return heard is None or heard + grace < server.last_join_at
