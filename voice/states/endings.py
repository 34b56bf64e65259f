"""How a connection ends, and what is remembered of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel
from voice import events, journal, pins
from voice.look import Own
from voice.models import Connection, EndedConnection, EndReason, VoiceState
from voice.rooms import parse_room_name, room_name

MEMORY = timedelta(minutes=15)  # LiveKit's refresh tokens live 10
KEPT = tuple(field.attname for field in Connection._meta.fields)

Rooms = set[tuple[int, str]]


def end(
    states: Iterable[VoiceState],
    *,
    room: str,
    reason: EndReason,
    now: datetime,
    returns: bool = False,
    replaced_by: str = "",
) -> Rooms:
    """These connections of one room are over; its pin begins to expire if they were the last.

    `returns` leaves the door open for VOICE_RETURN_WINDOW: for what LiveKit lost and for seats
    that lapsed, never for what we ended. The answer is the rooms to be marked due, by the caller,
    last: removal is what LiveKit must follow with.
    """
    ended = [_remembered(state, reason, now, returns, replaced_by) for state in states]
    if not ended:
        return set()
    EndedConnection.objects.bulk_create(ended)
    VoiceState.objects.filter(pk__in=[one.connection_id for one in ended]).delete()
    guild_id = guild_of(room)
    for one in ended:
        events.state_changed(one, guild_id=guild_id, is_over=True)
        journal.tell(
            "ended",
            reason=str(reason),
            connection_id=one.connection_id,
            user_id=one.user_id,
            channel_id=one.channel_id,
            guild_id=guild_id,
            server=one.server_id,
        )
    for channel_id in {one.channel_id for one in ended}:
        pins.let_go(channel_id=channel_id, now=now)
    return {(one.server_id, room) for one in ended if one.server_id is not None}


def _remembered(
    state: VoiceState, reason: EndReason, now: datetime, returns: bool, replaced_by: str
) -> EndedConnection:
    window = timedelta(seconds=settings.VOICE_RETURN_WINDOW)
    kept = {name: getattr(state, name) for name in KEPT} | {"version": state.version + 1}
    if not state.participant_sid:  # a seat: a visit that is known to be over stays old news
        kept |= {"participant_sid": state.gone_sid, "joined_at_ms": state.gone_joined_at_ms}
    return EndedConnection(
        **kept,
        connection_id=state.connection_id,
        user_id=state.user_id,
        channel_id=state.channel_id,
        server_id=state.server_id,
        reason=reason,
        replaced_by=replaced_by,
        may_return_until=now + window if returns else None,
        ended_at=now,
    )


def bar(where: Q) -> None:
    """Those who were only away may not return either."""
    EndedConnection.objects.filter(where, may_return_until__isnull=False).update(
        may_return_until=None
    )


def replace(ended: Iterable[Own], *, by: str, session: str | None, now: datetime) -> Rooms:
    """These connections of one user make place for another; the rooms due.

    Only one of the same session goes on as the new one. A seat that another device never used
    just ends.
    """
    rooms: Rooms = set()
    for own in ended:
        states = VoiceState.objects.select_related("channel").filter(pk=own.connection_id)
        goes_on = session is not None and own.session == session
        for state in states:
            rooms |= end(
                [state],
                room=room_of(state.channel),
                reason=EndReason.REPLACED,
                now=now,
                replaced_by=by if goes_on else "",
            )
    return rooms


def guild_of(room: str) -> int | None:
    """The guild that a room of ours belongs to."""
    name = parse_room_name(room)
    return name.guild_id if name else None


def room_of(channel: Channel) -> str:
    """LiveKit's name of a channel's room."""
    return room_name(channel_id=channel.pk, guild_id=channel.guild_id, kind=channel.type)


def end_channel(channel: Channel, *, reason: EndReason, now: datetime) -> tuple[int, Rooms]:
    """Everybody in a locked channel is out for good; how many connections, and the rooms due."""
    states = list(VoiceState.objects.filter(channel=channel))
    rooms = end(states, room=room_of(channel), reason=reason, now=now)
    bar(Q(channel_id=channel.pk))
    return len(states), rooms


@transaction.atomic
def lapse(*, channel_id: int) -> int:
    """End the channel's seats whose time has passed; how many."""
    channels = lock_channels([channel_id])
    now = timezone.now()
    states = list(VoiceState.objects.filter(channel_id=channel_id, seat_until__lte=now))
    for channel in channels:
        # Nobody is in LiveKit under a seat that was never used; who turns up later is judged then.
        end(states, room=room_of(channel), reason=EndReason.EXPIRED, now=now, returns=True)
    return len(states)


def lapsed(*, now: datetime) -> list[int]:
    """Channels in which a seat's time has passed."""
    lapsed = VoiceState.objects.filter(seat_until__lte=now)
    return list(lapsed.order_by().values_list("channel_id", flat=True).distinct())


def forget(*, now: datetime) -> int:
    """Drop what nobody can ask about any more; how many."""
    deleted, _ = EndedConnection.objects.filter(ended_at__lt=now - MEMORY).delete()
    return deleted
