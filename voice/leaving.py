"""Leaving by one's own wish: over for good, and again is fine."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from fluxer.directory.models import Channel, Member
from voice import due
from voice.errors import VoiceConnectionNotFound
from voice.models import EndedConnection, EndReason, VoiceState
from voice.objects import nowhere, voice_state
from voice.patch import Change
from voice.states import endings, lookup


def away(change: Change) -> set[int]:
    """Channels to which the caller could come back: to be locked, before that is barred."""
    ended = EndedConnection.objects.filter(user_id=change.user_id, may_return_until__isnull=False)
    return set(ended.values_list("channel_id", flat=True))


def leave(change: Change, mine: Sequence[VoiceState], *, now: datetime) -> dict[str, Any]:
    """Out, with the connection that is meant, or with all of them; the last object.

    `mine`, under the lock of their channels, are the caller's here, lapsed seats too.
    VoiceConnectionNotFound for a connection that is not one's own.
    """
    leaving = _meant(change, mine)
    rooms: endings.Rooms = set()
    for state in leaving:
        room = endings.room_of(state.channel)
        rooms |= endings.end([state], room=room, reason=EndReason.LEFT, now=now)
    due.mark(*rooms)
    last = next((state for state in leaving if lookup.is_live(state, now=now)), None)
    if last is None:
        return _nowhere(change)
    last.version += 1
    return voice_state(last, guild_id=change.guild_id, is_over=True)


def _meant(change: Change, mine: Sequence[VoiceState]) -> Sequence[VoiceState]:
    """Those that leave, newest first. Those of them that were only away are barred."""
    here = Q(user_id=change.user_id, channel_id__in=_channels(change))
    if change.connection_id is not None:
        return _named(change, mine, change.connection_id, here)
    if change.session is not None:
        endings.bar(here & Q(session=change.session))
        return [state for state in mine if state.session == change.session]
    endings.bar(here)
    return mine


def _named(
    change: Change, mine: Sequence[VoiceState], connection_id: str, here: Q
) -> Sequence[VoiceState]:
    leaving = [state for state in mine if state.pk == connection_id]
    if leaving:
        return leaving
    over = lookup.chain(connection_id, user_id=change.user_id)
    if not over:
        raise VoiceConnectionNotFound
    endings.bar(here & Q(pk__in=[ended.pk for ended in over]))
    return [state for state in mine if state.pk == over[-1].replaced_by]


def _channels(change: Change) -> Any:
    if change.call_id is not None:
        return [change.call_id]
    return Channel.objects.filter(guild=change.guild_id).values("pk")


def _nowhere(change: Change) -> dict[str, Any]:
    member = Member.objects.filter(guild=change.guild_id, user=change.user_id).first()
    return nowhere(
        user_id=change.user_id,
        guild_id=change.guild_id,
        session=change.session,
        mute=bool(member and member.mute),
        deaf=bool(member and member.deaf),
    )
