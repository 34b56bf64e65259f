"""What people do with their own connections: join, move, set flags; `leaving` is how they leave.

Decided in PostgreSQL alone; LiveKit follows. On any error the caller stays as they were.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel
from fluxer.errors import ServiceUnavailable, UnknownChannel
from voice import access, due, events, leaving, look, placement
from voice.access import Plan, Wish
from voice.errors import UserNotInVoice, VoiceConnectionNotFound
from voice.grants import decide
from voice.look import Look
from voice.models import VoiceState
from voice.objects import voice_state
from voice.patch import KEEP, Change
from voice.rooms import new_connection_id
from voice.states import changes, endings, lookup, seats
from voice.states.visit import decided

__all__ = ["KEEP", "Change", "update"]

_ATTEMPTS = 3


class _Moved(Exception):
    """Between looking and locking a connection went to a channel that is not locked."""


def update(change: Change) -> dict[str, Any]:
    """The voice state object after the change ("Update Voice State")."""
    for _ in range(_ATTEMPTS):
        try:
            return _attempt(change)
        except (_Moved, IntegrityError):
            continue
    raise ServiceUnavailable


@transaction.atomic
def _attempt(change: Change) -> dict[str, Any]:
    concerned = _channels(change, _states(change))
    if change.is_leave:
        concerned |= leaving.away(change)
    channels = {channel.pk: channel for channel in lock_channels(concerned)}
    states = _states(change)
    if not _channels(change, states) <= concerned:
        raise _Moved
    mine, now = [state for state in states if change.concerns(state)], timezone.now()
    if change.is_leave:
        return leaving.leave(change, mine, now=now)
    state = lookup.pick(
        [state for state in mine if lookup.is_live(state, now=now)],
        user_id=change.user_id,
        connection_id=change.connection_id,
        session=change.session,
    )
    if state is None and change.connection_id is not None:
        raise VoiceConnectionNotFound
    return _stay(change, state, channels, now)


def _states(change: Change) -> Sequence[VoiceState]:
    """The caller's connections here, newest first; when they may join, also this session's
    elsewhere, which then ends."""
    here = Q(channel_id=change.call_id) if change.call_id else Q(channel__guild=change.guild_id)
    if change.target is not None and change.session is not None:
        here |= Q(session=change.session)
    states = VoiceState.objects.select_related("channel").filter(here, user_id=change.user_id)
    return list(states.order_by("-created_at", "-connection_id"))


def _channels(change: Change, states: Sequence[VoiceState]) -> set[int]:
    """The channels in which something may end or begin."""
    target = set() if change.target is None else {change.target}
    return target | {state.channel_id for state in states}


def _stay(
    change: Change, state: VoiceState | None, channels: Mapping[int, Channel], now: datetime
) -> dict[str, Any]:
    if change.target is None or (state is not None and state.channel_id == change.target):
        if state is None:
            raise UserNotInVoice
        changes.write(state, change.flags, rights=decided(state), guild_id=change.guild_id)
        return voice_state(state, guild_id=change.guild_id)
    target = channels.get(change.target)
    if target is None or target.guild_id != change.guild_id:
        raise UnknownChannel
    if state is None:
        there = _join(change, target, channels, now)
    else:
        there = _move(change, state, target, channels, now)
    return voice_state(there, guild_id=change.guild_id)


def _join(change: Change, target: Channel, locked: Container[int], now: datetime) -> VoiceState:
    """A seat, ahead of its token, which alone holds the room where it is; this session's connection
    elsewhere ends for it."""
    wish = change.wish(change.session)
    found, plan = _planned(wish, locked, now)
    connection_id = new_connection_id()
    rooms = endings.replace(plan.ended, by=connection_id, session=wish.session, now=now)
    joined = seats.reserve(
        connection_id=connection_id,
        user_id=change.user_id,
        channel_id=target.pk,
        guild_id=target.guild_id,
        server_id=None,
        session=change.session,
        rights=decide(found.standing),
        nonce=None,
        until=now + changes.SEAT,
        now=now,
        flags=change.flags,
    )
    due.mark(*rooms)
    return joined


def _move(
    change: Change, state: VoiceState, target: Channel, locked: Container[int], now: datetime
) -> VoiceState:
    """To another channel of the guild, all or nothing. What admitted them here stays behind."""
    wish = change.wish(state.session)
    found, plan = _planned(wish, locked, now)
    placement.require_somewhere(found, wish)
    others = [own for own in plan.ended if own.connection_id != state.connection_id]
    moved, rooms = changes.move(
        state,
        source=state.channel,
        target=target,
        rights=decide(found.standing),
        admission=None,
        now=now,
        flags=change.flags,
    )
    rooms |= endings.replace(others, by=moved.connection_id, session=moved.session, now=now)
    events.server_changed(
        guild_id=target.guild_id,
        channel_id=target.pk,
        user_id=moved.user_id,
        connection_id=moved.connection_id,
        reason="moved",
    )
    due.mark(*rooms)
    return moved


def _planned(wish: Wish, locked: Container[int], now: datetime) -> tuple[Look, Plan]:
    """What the wish means now. _Moved when it would end something in a channel that is not locked:
    this session's, which came there since."""
    found = look.read(
        user_id=wish.user_id,
        channel_id=wish.channel_id,
        session=wish.session,
        region_id=None,
        now=now,
    )
    plan = access.plan(found, wish, now=now)
    assert found is not None  # noqa: S101 the plan refused otherwise
    if any(own.channel_id not in locked for own in plan.ended):
        raise _Moved
    return found, plan
