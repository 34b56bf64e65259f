"""Which connection is meant: by its id, through whatever replaced it, by session, or the newest."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel
from voice.models import EndedConnection, VoiceState
from voice.rooms import RoomName
from voice.states.endings import room_of

_CHAIN = """
WITH RECURSIVE chain AS (
    SELECT e.*, 0 AS hop FROM voice_endedconnection e
    WHERE e.connection_id = %s AND e.user_id = %s
    UNION ALL
    SELECT e.*, c.hop + 1 FROM chain c
    JOIN voice_endedconnection e ON e.connection_id = c.replaced_by AND e.user_id = c.user_id
    WHERE c.replaced_by <> ''
)
SELECT * FROM chain ORDER BY hop
"""


def chain(connection_id: str, *, user_id: int) -> list[EndedConnection]:
    """What is remembered of this connection of the user and of those that replaced it, in order.

    Empty for one that lives, that is forgotten, or that is somebody else's. One statement, through
    any number of moves.
    """
    return list(EndedConnection.objects.raw(_CHAIN, [connection_id, user_id]))


def current_id(connection_id: str, *, user_id: int) -> str:
    """The id that this one of the user's connections goes by now, through any number of moves."""
    over = chain(connection_id, user_id=user_id)
    return (over[-1].replaced_by or over[-1].connection_id) if over else connection_id


def ended(connection_id: str, *, user_id: int) -> EndedConnection | None:
    """What is remembered of the last end of the user's connection under this id."""
    return next(reversed(chain(connection_id, user_id=user_id)), None)


def away(
    *, user_id: int, guild_id: int, connection_id: str | None = None
) -> QuerySet[EndedConnection]:
    """The user's connections in a guild that ended and may still return; or the one named."""
    found = EndedConnection.objects.filter(
        user_id=user_id,
        channel_id__in=Channel.objects.filter(guild_id=guild_id).values("pk"),
        may_return_until__gt=timezone.now(),
    )
    if connection_id is not None:
        return found.filter(pk=current_id(connection_id, user_id=user_id))
    return found


def live(
    *,
    user_id: int,
    guild_id: int | None = None,
    channel_id: int | None = None,
) -> QuerySet[VoiceState]:
    """The user's connections in a guild or in one channel, newest first; lapsed seats too."""
    states = VoiceState.objects.select_related("channel").filter(user_id=user_id)
    if channel_id is not None:
        states = states.filter(channel_id=channel_id)
    else:
        states = states.filter(channel__guild=guild_id)
    return states.order_by("-created_at", "-connection_id")


def is_live(state: VoiceState, *, now: datetime) -> bool:
    """It is in, or its seat's time has not passed."""
    return state.seat_until is None or state.seat_until > now


def pick(
    states: Iterable[VoiceState], *, user_id: int, connection_id: str | None, session: str | None
) -> VoiceState | None:
    """The one that is named; else this session's and no other; else the newest."""
    found = list(states)
    if connection_id is not None:
        by_id = {state.pk: state for state in found}
        named = by_id.get(connection_id)
        return named or by_id.get(current_id(connection_id, user_id=user_id))
    if session is not None:
        return next((state for state in found if state.session == session), None)
    return next(iter(found), None)


def lock_room(room: RoomName) -> bool:
    """Lock the room's channel. False when there is none whose room has just this name."""
    return any(room_of(channel) == str(room) for channel in lock_channels([room.channel_id]))
