"""What staff do to rooms by hand: unpin them, change their region, move them off a server.

One transaction a room, under its lock, like everything else; LiveKit follows by settlement.
"""

import logging
import time
from dataclasses import dataclass, replace

from django.db import DatabaseError, transaction
from django.utils import timezone

from fluxer.acting import acting_as
from fluxer.directory import channels
from fluxer.directory.changes import lock_channels
from fluxer.errors import Conflict
from regions import servers
from regions.models import Server
from voice import audit, due, events, pins, region_change
from voice.audit import Actor
from voice.models import RoomPin, VoiceState
from voice.participants import locked_channel
from voice.states import endings, seats

log = logging.getLogger(__name__)

PATIENCE = 15.0  # seconds for one server; what is left is done the next time


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a server's rooms."""

    rooms: int = 0
    connections: int = 0
    left: int = 0  # rooms that are still there: they were busy, or there was no time for them


@transaction.atomic
def unpin(*, channel_id: int, by: Actor) -> None:
    """The room is on no server any more. Conflict while anybody is in or has a seat."""
    channel = locked_channel(channel_id)
    if pins.is_occupied(channel_id=channel_id, now=timezone.now()):
        raise Conflict("Somebody is in, or has a seat there; disconnect them first")
    rooms = region_change.unpin(channel)
    if rooms:
        audit.write(by, "unpin", guild_id=channel.guild_id, channel_id=channel_id)
    due.mark(*rooms)


def change_region(*, channel_id: int, region_id: str | None, by: Actor) -> bool:
    """The region change: everybody is out, and may join again there. False: it is that already."""
    if channels.get(channel_id=channel_id).rtc_region == region_id:
        return False
    with acting_as(by.name):
        channels.change(channel_id=channel_id, rtc_region=region_id)
    return True


@transaction.atomic
def note_off(*, server: Server, carrying: str, by: Actor) -> None:
    """A server is switched off with rooms on it. One entry, and of no guild: each room moves when
    somebody next asks for a token, and nothing is done to it now."""
    what = replace(by, reason=f"{server}: {carrying}")
    audit.write(what, "switch_off", guild_id=None)


def move_off(*, server: Server, by: Actor) -> Moved:
    """The server takes no new rooms, and those that it has are moved: everybody keeps their seat,
    as when a server dies, and their next token is for another one."""
    servers.drain(region_id=server.region_id, server_id=server.slug)
    until = time.monotonic() + PATIENCE
    waiting = rooms_on(server.pk)
    rooms = connections = busy = 0
    while waiting and time.monotonic() < until:
        channel_id = waiting.pop()
        try:
            moved = _move_room(server.pk, channel_id, by)
        except DatabaseError as error:  # one lock that somebody holds keeps no other room here
            cause = type(error.__cause__ or error).__name__
            log.warning("room of channel %s not moved off: %s", channel_id, cause)
            busy += 1
            continue
        rooms += moved is not None
        connections += moved or 0
    return Moved(rooms, connections, busy + len(waiting))


def rooms_on(server_id: int) -> list[int]:
    """The channels whose room is on this server."""
    return list(
        RoomPin.objects.filter(server_id=server_id)
        .order_by("channel_id")
        .values_list("channel_id", flat=True)
    )


@transaction.atomic
def _move_room(server_id: int, channel_id: int, by: Actor) -> int | None:
    """How many connections were moved; None when the room is not there any more."""
    for channel in lock_channels([channel_id]):
        if not RoomPin.objects.filter(channel=channel, server_id=server_id).exists():
            return None
        were_in = list(VoiceState.objects.filter(channel=channel, server_id=server_id))
        seats.unseat(channel_id=channel_id, room=endings.room_of(channel), now=timezone.now())
        rooms = region_change.unpin(channel)
        for state in were_in:
            events.server_changed(
                guild_id=channel.guild_id,
                channel_id=channel_id,
                user_id=state.user_id,
                connection_id=state.connection_id,
                reason="failed_over",
            )
        audit.write(by, "move_off", guild_id=channel.guild_id, channel_id=channel_id)
        due.mark(*rooms)
        return len(were_in)
    return None
