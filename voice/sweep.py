"""Everything that a whole server shows, compared with everything that we know of it.

What it finds it settles nothing of itself: rooms that differ are due, and `settlement` judges
whoever is in them. An error is not an empty room: what did not answer is not compared.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from livekit.protocol.models import ParticipantInfo, Room

from fluxer import livekit
from fluxer.livekit import LiveKitError, LiveKitNotAsked, LiveKitUnavailable, together
from regions import health
from regions.models import Server
from voice import differences, due, pins, turns
from voice.differences import Difference, Known, Shown
from voice.models import RoomPin, VoiceState
from voice.rooms import parse_room_name, room_name
from voice.states.visit import RIGHTS, decided

log = logging.getLogger(__name__)

AT_ONCE = 50  # listings of one server that are under way at the same time


@dataclass(frozen=True, slots=True)
class Report:
    """What a sweep of one server saw. `error`: it did not answer, or not for every room."""

    server: Server
    rooms: int = 0
    participants: int = 0
    found: Sequence[Difference] = ()
    error: str = ""
    is_skipped: bool = False  # it is down, or another sweep has its turn

    @property
    def differing(self) -> list[str]:
        """The rooms that differ, once each, in order."""
        return sorted({difference.room for difference in self.found})


@dataclass(slots=True)
class _Listing:
    shown: Shown
    errors: list[LiveKitError] = field(default_factory=list)


def sweep(*, server_id: int) -> Report | None:
    """Sweep a server, if it is not down and nobody else does; None when it does not exist."""
    server = Server.objects.filter(pk=server_id).first()
    if server is None:
        return None
    begun_at = timezone.now()
    if server.down_since is not None or not turns.take(server_id=server_id, now=begun_at):
        return Report(server, is_skipped=True)
    report = None
    try:
        report = compare(server)
        due.found(*((server_id, room) for room in report.differing))
    finally:
        complete = report is not None and not report.error
        turns.give_back(server_id=server_id, begun_at=begun_at, complete=complete)
    if report.found:
        log.warning("%s: %s of %s rooms differ", server, len(report.differing), report.rooms)
    return report


def compare(server: Server, *, writes: bool = True) -> Report:
    """What a sweep would find. The number of statements is always the same.

    With `writes`, what the listings themselves prove is written down: that the API answers (or
    not), and that rooms are there.
    """
    try:
        listing = _listing(server)
    except LiveKitUnavailable as error:
        if writes:
            _failing(server, error)
        return Report(server, error=str(error))
    if writes:
        _note(server, listing)
    shown = listing.shown
    return Report(
        server,
        rooms=len(shown.rooms),
        participants=sum(map(len, shown.people.values())),
        found=differences.differences(shown, _known(server), made_at=_made_at(server)),
        error=str(listing.errors[0]) if listing.errors else "",
    )


def _note(server: Server, listing: _Listing) -> None:
    shown = listing.shown
    if shown.rooms and not shown.people:
        _failing(server, listing.errors[0])
    elif health.api_answers(server.pk, now=timezone.now()):
        log.warning("%s answers its API again", server)
    names = {name.channel_id for room in shown.rooms if (name := parse_room_name(room))}
    pins.seen_all(channel_ids=names, server_id=server.pk, at=shown.begun_at)


def _failing(server: Server, error: LiveKitError) -> None:
    if isinstance(error, LiveKitNotAsked):
        return
    if health.failing(server.pk, now=timezone.now(), error=str(error)):
        log.warning("%s is failing: %s", server, error)


def _listing(server: Server) -> _Listing:
    """All rooms, then everybody in those whose name is one of ours; the others are not asked for.

    Raises LiveKitUnavailable when not even the rooms can be had.
    """
    begun_at = timezone.now()
    rooms = [room.name for room in _rooms(server) if parse_room_name(room.name) is not None]
    # Where an interval is too short for all of them, the last ones are others each time.
    random.shuffle(rooms)
    people: dict[str, Sequence[ParticipantInfo]] = {}
    listing = _Listing(Shown(begun_at, frozenset(rooms), people))
    for some in (rooms[:AT_ONCE], rooms[AT_ONCE:]):
        calls = [livekit.list_participants.later(server.livekit, room=room) for room in some]
        answers = together(calls, limit=AT_ONCE, within=settings.VOICE_SWEEP_INTERVAL)
        for room, answer in zip(some, answers, strict=True):
            if isinstance(answer, LiveKitError):
                listing.errors.append(answer)
            else:
                people[room] = answer
        if listing.errors and not people:
            break  # it hangs: the others would take as long, each in its turn
    return listing


def _rooms(server: Server) -> Sequence[Room]:
    """Asked for twice, if need be: one answer that is lost is no API that fails, and would stop
    every removal there until the next sweep."""
    try:
        return livekit.list_rooms(server.livekit)
    except LiveKitUnavailable as error:
        if isinstance(error, LiveKitNotAsked) or server.failing_since is not None:
            raise
        log.warning("%s is asked for its rooms once more: %s", server, error)
        return livekit.list_rooms(server.livekit)


def _known(server: Server) -> list[Known]:
    states = VoiceState.objects.filter(server=server).only(
        *("connection_id", "user_id", "participant_sid", "joined_at", "missing_since"),
        *RIGHTS,
        *("channel__id", "channel__guild_id", "channel__type"),
    )
    return [
        Known(
            connection_id=state.connection_id,
            user_id=state.user_id,
            room=room_name(
                channel_id=state.channel_id,
                guild_id=state.channel.guild_id,
                kind=state.channel.type,
            ),
            sid=state.participant_sid,
            joined_at=state.joined_at,
            is_missing=state.missing_since is not None,
            rights=decided(state),
        )
        for state in states.select_related("channel")
    ]


def _made_at(server: Server) -> dict[str, datetime]:
    pinned = RoomPin.objects.filter(server=server).values_list(
        "channel_id", "channel__guild_id", "channel__type", "made_at"
    )
    return {
        room_name(channel_id=channel_id, guild_id=guild_id, kind=kind): made_at
        for channel_id, guild_id, kind, made_at in pinned
    }
