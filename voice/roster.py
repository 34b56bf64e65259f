"""Who is in voice, as the person who asks may see it."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from fluxer.directory import standing
from fluxer.directory.access import require_known, require_visible
from fluxer.directory.models import Guild, Member
from fluxer.directory.permissions import Permission
from fluxer.errors import UnknownGuild, UnknownMember
from voice.errors import InvalidChannelType, UnknownVoiceState
from voice.models import EndReason, VoiceState
from voice.objects import voice_state
from voice.states import lookup


def require_member(*, user_id: int, guild_id: int) -> None:
    """UnknownGuild, or UnknownMember for a stranger."""
    if Member.objects.filter(guild_id=guild_id, user_id=user_id).exists():
        return
    if not Guild.objects.filter(pk=guild_id).exists():
        raise UnknownGuild
    raise UnknownMember


def require_recipient(*, user_id: int, channel_id: int) -> None:
    """UnknownChannel for who is not in the call; InvalidChannelType where there is no call."""
    found = require_known(standing.read(user_id=user_id, channel_id=channel_id))
    if not found.is_call:
        raise InvalidChannelType("This is no call: use /guilds/{guild_id}/voice-states/@me")


def in_guild(*, caller_id: int, guild_id: int) -> list[dict[str, Any]]:
    """The states in the channels that the caller can see, reserved seats included."""
    require_member(user_id=caller_id, guild_id=guild_id)
    states = list(_live().filter(channel__guild_id=guild_id))
    return _visible(states, caller_id=caller_id, guild_id=guild_id)


def of_member(*, caller_id: int, guild_id: int, user_id: int) -> dict[str, Any]:
    """The newest of a member's states that the caller can see, or UnknownVoiceState."""
    require_member(user_id=caller_id, guild_id=guild_id)
    states = _live().filter(channel__guild_id=guild_id, user_id=user_id)
    seen = _visible(states.order_by("-created_at", "-pk"), caller_id=caller_id, guild_id=guild_id)
    if not seen:
        raise UnknownVoiceState
    return seen[0]


def in_channel(*, caller_id: int, channel_id: int) -> list[dict[str, Any]]:
    """One channel's states, for those who can see it; a call's, for its recipients."""
    found = require_visible(user_id=caller_id, channel_id=channel_id)
    states = _live().filter(channel_id=channel_id)
    return [voice_state(state, guild_id=found.guild_id) for state in states]


def own(
    *,
    user_id: int,
    session: str | None,
    connection_id: str | None,
    guild_id: int | None = None,
    call_id: int | None = None,
) -> dict[str, Any]:
    """The caller's own: the connection named or what replaced it; else this session's, else the
    newest. UnknownVoiceState says why it ended, while that is remembered."""
    states = list(lookup.live(user_id=user_id, guild_id=guild_id, channel_id=call_id))
    now = timezone.now()
    live = [state for state in states if lookup.is_live(state, now=now)]
    state = lookup.pick(live, user_id=user_id, connection_id=connection_id, session=session)
    if state is None and connection_id is None:
        state = next(iter(live), None)
    if state is not None:
        return voice_state(state, guild_id=guild_id)
    raise UnknownVoiceState(reason=_why(connection_id, states, user_id=user_id))


def _why(connection_id: str | None, lapsed: Iterable[VoiceState], *, user_id: int) -> str | None:
    """Why this connection, or the last of those that replaced it, is over."""
    if connection_id is None:
        return None
    over = lookup.chain(connection_id, user_id=user_id)
    current = over[-1].replaced_by if over else connection_id
    if current in {state.pk for state in lapsed}:
        return EndReason.EXPIRED.value
    return over[-1].reason if over else None


def _live() -> QuerySet[VoiceState]:
    """Without the seats whose time has passed."""
    live = Q(joined_at__isnull=False) | Q(seat_until__gt=timezone.now())
    return VoiceState.objects.filter(live).order_by("channel_id", "created_at", "pk")


def _visible(
    states: Iterable[VoiceState], *, caller_id: int, guild_id: int
) -> list[dict[str, Any]]:
    found = list(states)
    channels = standing.read_all(
        user_ids=[caller_id], channel_ids={state.channel_id for state in found}
    )
    seen = {at.channel_id for at in channels if at.may(Permission.VIEW_CHANNEL)}
    return [voice_state(state, guild_id=guild_id) for state in found if state.channel_id in seen]
