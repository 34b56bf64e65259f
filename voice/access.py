"""May this user be here? The checks of a join, in their order; the first that fails answers.

Pure: a look goes in, a plan or an error comes out, so that the same checks run before anything is
tried and again under the lock.
"""

from dataclasses import dataclass
from datetime import datetime

from fluxer.directory.access import require, require_known
from fluxer.directory.permissions import Permission
from fluxer.directory.standing import Standing
from fluxer.errors import InvalidFormBody
from regions.errors import UnknownVoiceRegion
from voice.errors import (
    InvalidChannelType,
    UnclaimedAccountCannotJoinOneOnOneVoiceCalls,
    UnclaimedAccountCannotJoinVoiceChannels,
    VoiceChannelFull,
    VoiceConnectionLimitReached,
    VoiceConnectionNotFound,
    VoiceMemberTimedOut,
)
from voice.look import Look, Own


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks for. `session` is the token's `sid`; `claims`: a connection that was
    opened here ahead of its token may be taken up."""

    user_id: int
    channel_id: int
    guild_id: int | None
    session: str | None
    region_id: str | None = None
    connection_id: str | None = None
    claims: bool = True
    named_channel_id: int | None = None  # what the body says of the channel, if it does


@dataclass(frozen=True, slots=True)
class Plan:
    """What granting the wish means: which connection gets the token, and which end for it."""

    renewed: Own | None  # None: a new connection
    ended: tuple[Own, ...] = ()


def plan(found: Look | None, wish: Wish, *, now: datetime) -> Plan:
    """The checks of the contract, section 3, from 2 to 8."""
    standing = require_known(found.standing if found else None)
    assert found is not None  # noqa: S101 a standing comes from a look
    _require_kind(standing, wish)
    renewed = _renewed(found, wish)
    require_right(standing, now=now, is_admitted=bool(renewed and renewed.is_admitted))
    _require_region(found, wish)
    if renewed is not None:
        return Plan(renewed)
    if wish.connection_id is not None:
        raise VoiceConnectionNotFound
    if found.is_full:
        raise VoiceChannelFull
    return Plan(None, _ended(found, wish.session))


def _require_kind(standing: Standing, wish: Wish) -> None:
    if not standing.has_voice:
        raise InvalidChannelType
    if wish.named_channel_id not in (None, wish.channel_id):
        message = "The path names another channel."
        raise InvalidFormBody.at("channel_id", "MISMATCH", message)
    if wish.guild_id != standing.guild_id:
        if standing.guild_id is None:
            code, message = "MUST_BE_ABSENT", "A call has no guild: leave guild_id out."
        elif wish.guild_id is None:
            code, message = "REQUIRED", "A guild channel needs its guild_id."
        else:
            code, message = "MISMATCH", "The channel is not in this guild."
        raise InvalidFormBody.at("guild_id", code, message)


def require_right(standing: Standing, *, now: datetime, is_admitted: bool) -> None:
    """Somebody whom a moderator moved in needs neither a claimed account nor permissions."""
    if not standing.is_claimed and not is_admitted:
        if standing.is_dm:
            raise UnclaimedAccountCannotJoinOneOnOneVoiceCalls
        if standing.guild_id is not None and not standing.is_owner:
            raise UnclaimedAccountCannotJoinVoiceChannels
    if standing.is_timed_out(now):
        raise VoiceMemberTimedOut
    if not is_admitted:
        require(standing, Permission.VIEW_CHANNEL | Permission.CONNECT)


def _require_region(found: Look, wish: Wish) -> None:
    if wish.region_id is None:
        return
    if found.wish is None or not found.wish.admits(found.caller):
        raise UnknownVoiceRegion


def _renewed(found: Look, wish: Wish) -> Own | None:
    """The connection that the token is for, if it is there already: the one that is named, or
    one that was opened here ahead of its token and that this session may claim."""
    if wish.connection_id is not None:
        return found.connection(wish.connection_id)
    for own in found.here if wish.claims else ():
        is_ours = wish.session in (None, own.session) or own.is_admitted
        if not own.has_token and is_ours:
            return own
    return None


def _ended(found: Look, session: str | None) -> tuple[Own, ...]:
    """What ends for a new connection: this session's older one, and at the limit the oldest
    seats here that never joined."""
    older = found.of_session(session)
    others = [own for own in found.here if own is not older]
    # Who is in on a server that is lost is about to have a seat again, no more.
    is_lost = found.pin is not None and not found.pin.works
    seats = [own for own in others if is_lost or not own.is_joined]
    limit = found.standing.voice_connection_limit
    if len(others) - len(seats) >= limit:
        raise VoiceConnectionLimitReached
    excess = max(0, len(others) + 1 - limit)
    return (*([older] if older else []), *seats[:excess])
