"""Mute, deafen, move, disconnect: what moderators, the back end and staff do to others.

Everything is checked before anything changes. Mute and deaf live on the member and outlast a
visit; a move admits its target for that connection's life, with what the moderator has there.
"""

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from fluxer.directory import standing
from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel, Member
from fluxer.errors import ServiceUnavailable
from voice import audit, due, events, pins, rank, rights
from voice.audit import Actor
from voice.errors import UserNotInVoice
from voice.grants import Admission, decide
from voice.models import EndReason, VoiceState
from voice.orders import KEEP, Order, admission_for, destination_of
from voice.states import changes, endings, lookup

_ATTEMPTS = 3
_ACTIONS = {
    ("mute", True): "mute",
    ("mute", False): "unmute",
    ("deaf", True): "deafen",
    ("deaf", False): "undeafen",
}


class _Moved(Exception):
    """Between looking and locking a connection went to a channel that is not locked."""


def moderate(order: Order, *, by: Actor) -> Member:
    """The member, after everything that was ordered has been done."""
    for _ in range(_ATTEMPTS):
        try:
            return _attempt(order, by)
        except (_Moved, IntegrityError):
            continue
    raise ServiceUnavailable


@transaction.atomic
def _attempt(order: Order, by: Actor) -> Member:
    mine = lookup.live(user_id=order.user_id, guild_id=order.guild_id)
    concerned = {state.channel_id for state in mine} | order.known_target
    channels = {channel.pk: channel for channel in lock_channels(concerned)}
    states = list(mine.all())
    if not {state.channel_id for state in states} <= concerned:
        raise _Moved
    target = rank.member(user_id=order.user_id, guild_id=order.guild_id)
    meant = _meant(order, states)
    destination = destination_of(order, channels)
    admission = admission_for(order, by, target, states, meant, destination)
    _say(order, by)
    if destination is not None:
        _move(order, by, meant, destination, admission)
    elif order.channel_id is None:
        _disconnect(order, by, meant)
    return Member.objects.get(guild=order.guild_id, user=order.user_id)


def _meant(order: Order, states: Sequence[VoiceState]) -> list[VoiceState]:
    """The connections that a move or a disconnect is about; UserNotInVoice for none."""
    if order.connection_id is None:
        meant = list(states)
    else:
        current = lookup.current_id(order.connection_id, user_id=order.user_id)
        meant = [state for state in states if state.pk == current]
    if not meant and (order.channel_id is not KEEP or order.connection_id is not None):
        raise UserNotInVoice
    return meant


def _say(order: Order, by: Actor) -> None:
    """Mute and deaf, on the member, and on the connections that are there."""
    if not order.words:
        return
    Member.objects.filter(guild=order.guild_id, user=order.user_id).update(**order.words)
    rooms: endings.Rooms = set()
    for state in lookup.live(user_id=order.user_id, guild_id=order.guild_id):
        rooms |= rights.recompute(state.channel, [state])
    due.mark(*rooms)
    for word, value in order.words.items():
        audit.write(by, _ACTIONS[word, value], guild_id=order.guild_id, target_id=order.user_id)


def _move(
    order: Order,
    by: Actor,
    meant: Iterable[VoiceState],
    destination: Channel,
    admission: Admission | None,
) -> None:
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
    pins.keep(channel_id=destination.pk, made_at=None, expiring=True)
    due.mark(*rooms)
    _leave_entry(order, by, "move", destination.pk)


def _still(meant: Iterable[VoiceState]) -> QuerySet[VoiceState]:
    """Those as they are now: a mute in the same order may have changed or ended them."""
    ids = [state.pk for state in meant]
    return VoiceState.objects.select_related("channel").filter(pk__in=ids)


def _disconnect(order: Order, by: Actor, meant: Iterable[VoiceState]) -> None:
    now = timezone.now()
    rooms: endings.Rooms = set()
    for state in _still(meant):
        room = endings.room_of(state.channel)
        rooms |= endings.end([state], room=room, reason=EndReason.DISCONNECTED, now=now)
    if order.connection_id is None:
        channels = Channel.objects.filter(guild=order.guild_id).values("pk")
        endings.bar(Q(user_id=order.user_id, channel_id__in=channels))
    due.mark(*rooms)
    _leave_entry(order, by, "disconnect", None)


def _leave_entry(order: Order, by: Actor, action: str, channel_id: int | None) -> None:
    audit.write(
        by,
        action,
        guild_id=order.guild_id,
        target_id=order.user_id,
        channel_id=channel_id,
    )
