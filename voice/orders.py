"""What a moderator orders, and whether they may: checked whole, before anything changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from fluxer.directory import standing
from fluxer.directory.models import Channel
from fluxer.directory.permissions import Permission
from fluxer.directory.standing import Standing
from fluxer.errors import InvalidFormBody
from voice import access, rank
from voice.audit import Actor
from voice.grants import Admission
from voice.models import VoiceState

KEEP: Any = object()
_NEEDED = {"mute": Permission.MUTE_MEMBERS, "deaf": Permission.DEAFEN_MEMBERS}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to one member of a guild."""

    guild_id: int
    user_id: int
    words: Mapping[str, bool] = field(default_factory=dict)  # mute, deaf
    channel_id: Any = KEEP  # where to, None to disconnect, KEEP
    connection_id: str | None = None

    @property
    def target(self) -> int | None:
        """The channel to move to, if there is one."""
        return None if self.channel_id is KEEP else self.channel_id

    @property
    def known_target(self) -> set[int]:
        """The same, as a set."""
        return set() if self.target is None else {self.target}


def destination_of(order: Order, channels: Mapping[int, Channel]) -> Channel | None:
    """The voice channel of the guild to move to; InvalidFormBody at channel_id otherwise."""
    if order.target is None:
        return None
    channel = channels.get(order.target)
    if channel is None or channel.guild_id != order.guild_id:
        raise InvalidFormBody.at(
            "channel_id", "CHANNEL_DOES_NOT_EXIST", "The guild has no such channel."
        )
    if not channel.has_voice:
        raise InvalidFormBody.at(
            "channel_id", "CHANNEL_MUST_BE_VOICE", "Nobody can be moved to a text channel."
        )
    return channel


def admission_for(
    order: Order,
    by: Actor,
    target: rank.Ranked,
    states: Iterable[VoiceState],
    meant: Iterable[VoiceState],
    destination: Channel | None,
) -> Admission | None:
    """All the checks of a moderator; what a move admits its target with. The back end and staff
    need no permission, and admit with everything."""
    is_self = by.user_id == order.user_id
    if by.user_id is None:
        return Admission(speak=True, stream=True)
    moderator = rank.member(user_id=by.user_id, guild_id=order.guild_id)
    moderator.require_above(target)
    held = _held(by.user_id, {*(s.channel_id for s in states), *order.known_target})
    for word in order.words:
        places = {state.channel_id for state in states}
        for channel_id in places:
            moderator.require(_NEEDED[word], held=held[channel_id].permissions)
        if not places:
            moderator.require(_NEEDED[word])
    for state in meant if order.channel_id is not KEEP else ():
        moderator.require(Permission.MOVE_MEMBERS, held=held[state.channel_id].permissions)
    if destination is None:
        return None
    there = held[destination.pk]
    needed = Permission.MOVE_MEMBERS | Permission.VIEW_CHANNEL | Permission.CONNECT
    moderator.require(needed, held=there.permissions)
    if is_self:
        access.require_right(there, now=timezone.now(), is_admitted=False)
        return None
    return Admission(speak=there.may(Permission.SPEAK), stream=there.may(Permission.STREAM))


def _held(user_id: int, channel_ids: Iterable[int]) -> dict[int, Standing]:
    found = standing.read_all(user_ids=[user_id], channel_ids=channel_ids)
    return {at.channel_id: at for at in found}
