"""Mute, deafen, move, disconnect: what moderators, the back end and staff do to others.

Everything is checked before anything changes. Mute and deaf live on the member and outlast a
visit; a move admits its target for that connection's life, with what the moderator has there.
"""

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from fluxer.directory import changes as directory
from fluxer.directory import standing
from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel, Member
from fluxer.errors import ServiceUnavailable
from voice import audit, due, events, rights
from voice.audit import Actor
from voice.grants import Admission, decide
from voice.models import EndedConnection, EndReason, VoiceState
from voice.orders import Order, check
from voice.states import changes, endings, lookup

_ATTEMPTS = 3


class _Moved(Exception):
    """Between looking and locking a connection went to a channel that is not locked."""


def moderate(order: Order, *, by: Actor) -> Member:
    """The member, after everything that was ordered has been done. Raises what `check` raises."""
    for _ in range(_ATTEMPTS):
        try:
            return _attempt(order, by)
        except (_Moved, IntegrityError):
            continue
    raise ServiceUnavailable


@transaction.atomic
def _attempt(order: Order, by: Actor) -> Member:
    mine = lookup.live(user_id=order.user_id, guild_id=order.guild_id)
    away = lookup.away(user_id=order.user_id, guild_id=order.guild_id)
    concerned = {state.channel_id for state in mine} | order.known_target
    if order.moves:  # who is only away must not return past this
        concerned |= set(away.values_list("channel_id", flat=True))
    channels = {channel.pk: channel for channel in lock_channels(concerned)}
    states = list(mine.all())
    if not {state.channel_id for state in states} <= concerned:
        raise _Moved
    checked = check(order, by=by, states=states, channels=channels)
    rooms = _say(order, by, states)
    if checked.destination is not None:
        rooms |= _move(order, by, checked.meant, checked.destination, checked.admission)
    elif order.moves:
        rooms |= _disconnect(order, by, checked.meant)
    due.mark(*rooms)
    return Member.objects.get(guild=order.guild_id, user=order.user_id)


def _say(order: Order, by: Actor, states: Sequence[VoiceState]) -> endings.Rooms:
    """Mute and deaf, on the member, and on the connections that are there and locked."""
    if not order.words:
        return set()
    Member.objects.filter(guild=order.guild_id, user=order.user_id).update(**order.words)
    rooms: endings.Rooms = set()
    for state in states:
        rooms |= rights.recompute(state.channel, [state])
    # Who comes or returns meanwhile saw the member as they were: look again, under the lock.
    directory.note(directory.Scope.MEMBER, order.user_id, guild_id=order.guild_id)
    audit.words(
        by,
        order.words,
        guild_id=order.guild_id,
        target_id=order.user_id,
        channel_id=states[0].channel_id if states else None,
    )
    return rooms


def _move(
    order: Order,
    by: Actor,
    meant: Iterable[VoiceState],
    destination: Channel,
    admission: Admission | None,
) -> endings.Rooms:
    now = timezone.now()
    there = standing.read(user_id=order.user_id, channel_id=destination.pk)
    assert there is not None  # noqa: S101 a member, and a channel that is locked
    rooms: endings.Rooms = set()
    for state in _still(meant).exclude(channel=destination):
        moved, due_rooms = changes.move(
            state,
            source=state.channel,
            target=destination,
            rights=decide(there, admission=admission),
            admission=admission,
            now=now,
        )
        rooms |= due_rooms
        events.server_changed(
            guild_id=order.guild_id,
            channel_id=destination.pk,
            user_id=order.user_id,
            connection_id=moved.connection_id,
            reason="moved",
        )
    endings.bar(Q(pk__in=_away(order).values("pk")))
    _leave_entry(order, by, "move", destination.pk)
    return rooms


def _still(meant: Iterable[VoiceState]) -> QuerySet[VoiceState]:
    """Those as they are now: a mute in the same order may have changed or ended them."""
    ids = [state.pk for state in meant]
    return VoiceState.objects.select_related("channel").filter(pk__in=ids)


def _away(order: Order) -> QuerySet[EndedConnection]:
    """Those that the order means, too, and that are only away."""
    return lookup.away(
        user_id=order.user_id, guild_id=order.guild_id, connection_id=order.connection_id
    )


def _disconnect(order: Order, by: Actor, meant: Iterable[VoiceState]) -> endings.Rooms:
    now = timezone.now()
    rooms: endings.Rooms = set()
    for state in _still(meant):
        room = endings.room_of(state.channel)
        rooms |= endings.end([state], room=room, reason=EndReason.DISCONNECTED, now=now)
    away = _away(order)
    left = {state.channel_id for state in meant} | set(away.values_list("channel_id", flat=True))
    endings.bar(Q(pk__in=away.values("pk")))
    for channel_id in sorted(left):
        _leave_entry(order, by, "disconnect", channel_id)
    return rooms


def _leave_entry(order: Order, by: Actor, action: str, channel_id: int) -> None:
    audit.write(
        by,
        action,
        guild_id=order.guild_id,
        target_id=order.user_id,
        channel_id=channel_id,
    )
