"""What people do with their own connections: join, move, set flags, leave.

Decided in PostgreSQL alone; LiveKit follows. On any error the caller stays as they were.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel, Member
from fluxer.errors import ServiceUnavailable, UnknownChannel
from voice import access, due, look, pins, placement
from voice.access import Wish
from voice.errors import UserNotInVoice, VoiceConnectionNotFound
from voice.grants import decide
from voice.look import Look
from voice.models import EndReason, VoiceState
from voice.objects import nowhere, voice_state
from voice.rooms import new_connection_id
from voice.states import changes, endings, lookup, seats
from voice.states.visit import decided

_ATTEMPTS = 3
KEEP: Any = object()  # the body does not name channel_id


@dataclass(frozen=True, slots=True)
class Change:
    """What a PATCH of one's own voice state asks for, in one guild or in one call."""

    user_id: int
    session: str | None
    guild_id: int | None = None
    call_id: int | None = None
    channel_id: Any = KEEP  # an id, None to leave, KEEP
    connection_id: str | None = None
    flags: Mapping[str, bool] = field(default_factory=dict)

    @property
    def target(self) -> int | None:
        """The channel to be in, if the body names one."""
        return None if self.channel_id is KEEP else self.channel_id

    def wish(self, state: VoiceState | None = None) -> Wish:
        """The same as a join of the target, by whoever moves or comes."""
        assert self.target is not None  # noqa: S101 only asked with a target
        return Wish(
            user_id=self.user_id,
            channel_id=self.target,
            guild_id=self.guild_id,
            session=state.session if state else self.session,
            claims=False,
        )


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


def _mine(change: Change) -> list[VoiceState]:
    return list(
        lookup.live(user_id=change.user_id, guild_id=change.guild_id, channel_id=change.call_id)
    )


def _concerned(change: Change, mine: Sequence[VoiceState]) -> set[int]:
    """The channels in which something may end or begin."""
    channels = {state.channel_id for state in mine}
    if change.target is not None:
        channels.add(change.target)
        if change.session is not None:
            elsewhere = VoiceState.objects.filter(user=change.user_id, session=change.session)
            channels.update(elsewhere.values_list("channel_id", flat=True))
    return channels


@transaction.atomic
def _attempt(change: Change) -> dict[str, Any]:
    concerned = _concerned(change, _mine(change))
    channels = {channel.pk: channel for channel in lock_channels(concerned)}
    mine = _mine(change)
    if not _concerned(change, mine) <= concerned:
        raise _Moved
    state = lookup.pick(
        mine,
        user_id=change.user_id,
        connection_id=change.connection_id,
        session=change.session,
    )
    if change.channel_id is None:
        return _leave(change, state, mine)
    if state is None and change.connection_id is not None:
        raise VoiceConnectionNotFound
    return _stay(change, state, channels)


def _stay(
    change: Change, state: VoiceState | None, channels: Mapping[int, Channel]
) -> dict[str, Any]:
    now = timezone.now()
    if change.target is None or (state is not None and state.channel_id == change.target):
        if state is None:
            raise UserNotInVoice
        changes.write(state, change.flags, rights=decided(state), guild_id=change.guild_id)
        return voice_state(state, guild_id=change.guild_id)
    target = channels.get(change.target)
    if target is None or target.guild_id != change.guild_id:
        raise UnknownChannel
    act: Callable[[Change, Any, Channel, datetime], VoiceState] = _join if state is None else _move
    return voice_state(act(change, state, target, now), guild_id=change.guild_id)


def _join(change: Change, state: None, target: Channel, now: datetime) -> VoiceState:
    """A seat, ahead of its token; this session's connection elsewhere ends for it."""
    wish = change.wish()
    found, plan = _planned(wish, now)
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
    pins.keep(channel_id=target.pk, made_at=None, expiring=True)
    due.mark(*rooms)
    return joined


def _move(change: Change, state: VoiceState, target: Channel, now: datetime) -> VoiceState:
    """To another channel of the guild, all or nothing. What admitted them here stays behind."""
    wish = change.wish(state)
    found, plan = _planned(wish, now)
    placement.require_somewhere(found, wish)
    others = [own for own in plan.ended if own.connection_id != state.connection_id]
    moved, rooms = changes.move(
        state,
        source=state.channel,
        target=target,
        rights=decide(found.standing),
        admission=None,
        now=now,
    )
    rooms |= endings.replace(others, by=moved.connection_id, session=moved.session, now=now)
    changes.write(moved, change.flags, rights=decided(moved), guild_id=change.guild_id)
    pins.keep(channel_id=target.pk, made_at=None, expiring=True)
    due.mark(*rooms)
    return moved


def _planned(wish: Wish, now: datetime) -> tuple[Look, access.Plan]:
    found = look.read(
        user_id=wish.user_id,
        channel_id=wish.channel_id,
        session=wish.session,
        region_id=None,
        now=now,
    )
    plan = access.plan(found, wish, now=now)
    assert found is not None  # noqa: S101 the plan refused otherwise
    return found, plan


def _leave(change: Change, state: VoiceState | None, mine: Sequence[VoiceState]) -> dict[str, Any]:
    """Out, with the connection that is meant, or with all of them; again is fine."""
    _bar_the_absent(change)
    if state is None:
        return _nowhere(change)
    leaving = [state]
    if change.connection_id is None and change.session is None:
        leaving = list(mine)
    now = timezone.now()
    rooms: endings.Rooms = set()
    for one in leaving:
        room = endings.room_of(one.channel)
        rooms |= endings.end([one], room=room, reason=EndReason.LEFT, now=now)
    due.mark(*rooms)
    state.version += 1
    return voice_state(state, guild_id=change.guild_id, is_over=True)


def _bar_the_absent(change: Change) -> None:
    """Connections that were only away do not return after a leave.

    Leaving with a connection of one's own that is over is fine; with another's it is not.
    """
    here = Channel.objects.filter(guild=change.guild_id)
    if change.call_id is not None:
        here = Channel.objects.filter(pk=change.call_id)
    away = Q(user_id=change.user_id, channel_id__in=here.values("pk"))
    if change.connection_id is not None:
        if not lookup.is_own(change.connection_id, user_id=change.user_id):
            raise VoiceConnectionNotFound
        away &= Q(pk=change.connection_id)
    elif change.session is not None:
        away &= Q(session=change.session)
    endings.bar(away)


def _nowhere(change: Change) -> dict[str, Any]:
    member = Member.objects.filter(guild=change.guild_id, user=change.user_id).first()
    return nowhere(
        user_id=change.user_id,
        guild_id=change.guild_id,
        session=change.session,
        mute=bool(member and member.mute),
        deaf=bool(member and member.deaf),
    )
