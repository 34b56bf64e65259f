"""What a moderator orders, and whether they may: checked whole, before anything changes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from fluxer.directory import standing
from fluxer.directory.models import Channel
from fluxer.directory.permissions import Permission
from fluxer.directory.standing import Standing
from fluxer.errors import InvalidFormBody
from voice import access, rank
from voice.audit import Actor
from voice.errors import UserNotInVoice
from voice.grants import Admission
from voice.models import VoiceState
from voice.rank import Ranked
from voice.states import lookup

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
    def moves(self) -> bool:
        """To another channel, or out."""
        return self.channel_id is not KEEP

    @property
    def ends(self) -> bool:
        """Out of voice."""
        return self.channel_id is None

    @property
    def target(self) -> int | None:
        """The channel to move to, if there is one."""
        return None if self.channel_id is KEEP else self.channel_id

    @property
    def known_target(self) -> set[int]:
        """The same, as a set."""
        return set() if self.target is None else {self.target}


@dataclass(frozen=True, slots=True)
class Checked:
    """An order that may be carried out: on which connections, where to, what it admits to."""

    meant: Sequence[VoiceState]
    destination: Channel | None = None
    admission: Admission | None = None


def check(
    order: Order, *, by: Actor, states: Sequence[VoiceState], channels: Mapping[int, Channel]
) -> Checked:
    """Everything that can refuse the order. `states` are the target's connections in the guild,
    `channels` those that are locked: theirs, and the destination.

    Who is whom, then rank, then the permissions where the target is, then whether they are there
    at all, then the destination, then the permissions there. UnknownGuild, UnknownMember,
    MissingPermissions, UserNotInVoice, InvalidFormBody. The back end and staff need no permission,
    and admit with everything.
    """
    now = timezone.now()
    target = rank.member(user_id=order.user_id, guild_id=order.guild_id)
    meant = _meant(order, states)
    moderator, held = None, dict[int, Standing]()
    if by.user_id is not None:
        moderator = rank.member(user_id=by.user_id, guild_id=order.guild_id)
        moderator.require_above(target)
        held = _held(by.user_id, channels)
        for word in order.words:
            _require(moderator, held, _NEEDED[word], at=states)
        if order.moves:
            _require(moderator, held, Permission.MOVE_MEMBERS, at=meant)
    is_named = order.moves or order.connection_id is not None
    is_there = any(_is_live(state, now) for state in meant)
    if is_named and not is_there and not (order.ends and _is_away(order)):
        raise UserNotInVoice
    destination = _destination(order, channels)
    if destination is None:
        return Checked(meant)
    live = [state for state in meant if _is_live(state, now)]
    if moderator is None:
        return Checked(live, destination, Admission(speak=True, stream=True))
    admission = _admission(moderator, target, held[destination.pk], now)
    return Checked(live, destination, admission)


def _meant(order: Order, states: Sequence[VoiceState]) -> list[VoiceState]:
    """The connection that is named, or what replaced it; else all of them."""
    if order.connection_id is None:
        return list(states)
    current = lookup.current_id(order.connection_id, user_id=order.user_id)
    return [state for state in states if state.pk == current]


def _require(
    moderator: Ranked,
    held: Mapping[int, Standing],
    needed: Permission,
    *,
    at: Iterable[VoiceState],
) -> None:
    """The permission, in every channel where the target is; in the guild if they are nowhere."""
    channels = {state.channel_id for state in at}
    for channel_id in channels:
        moderator.require(needed, held=held[channel_id].permissions)
    if not channels:
        moderator.require(needed)


def _destination(order: Order, channels: Mapping[int, Channel]) -> Channel | None:
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


def _admission(
    moderator: Ranked, target: Ranked, there: Standing, now: datetime
) -> Admission | None:
    """What a move admits its target with: as much as the moderator has there. Moving oneself
    admits to nothing."""
    needed = Permission.MOVE_MEMBERS | Permission.VIEW_CHANNEL | Permission.CONNECT
    moderator.require(needed, held=there.permissions)
    if moderator.user_id == target.user_id:
        access.require_right(there, now=now, is_admitted=False)
        return None
    return Admission(speak=there.may(Permission.SPEAK), stream=there.may(Permission.STREAM))


def _held(user_id: int, channel_ids: Iterable[int]) -> dict[int, Standing]:
    found = standing.read_all(user_ids=[user_id], channel_ids=channel_ids)
    return {at.channel_id: at for at in found}


def _is_away(order: Order) -> bool:
    """Lost a moment ago, and free to return: there is somebody to put out after all."""
    found = lookup.away(
        user_id=order.user_id, guild_id=order.guild_id, connection_id=order.connection_id
    )
    return found.exists()


def _is_live(state: VoiceState, now: datetime) -> bool:
    return state.seat_until is None or state.seat_until > now
