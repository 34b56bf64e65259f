"""Seats: reserved with a token or ahead of one, renewed, kept through a dead server."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, F, When

from voice import events, journal
from voice.grants import Rights
from voice.models import EndReason, VoiceState
from voice.states.endings import end, guild_of


def reserve(
    *,
    connection_id: str,
    user_id: int,
    channel_id: int,
    guild_id: int | None,
    server_id: int | None,
    session: str | None,
    rights: Rights,
    nonce: uuid.UUID | None,
    until: datetime,
    now: datetime,
    flags: Mapping[str, bool] | None = None,
) -> VoiceState:
    """A new connection with a seat. Without `session` the connection is its own session."""
    state = VoiceState(
        connection_id=connection_id,
        user_id=user_id,
        channel_id=channel_id,
        server_id=server_id,
        session=session or connection_id,
        token_nonce=nonce,
        seat_until=until,
        created_at=now,
        **asdict(rights),
        **(flags or {}),
    )
    state.save(force_insert=True)
    events.state_changed(state, guild_id=guild_id)
    journal.tell(
        "seated",
        connection_id=connection_id,
        user_id=user_id,
        channel_id=channel_id,
        guild_id=guild_id,
        server=server_id,
    )
    return state


def renew(
    *, connection_id: str, is_joined: bool, server_id: int, nonce: uuid.UUID, until: datetime
) -> bool:
    """Another token for a connection that lives. Who is in is not disturbed, and who has a seat
    keeps it until `until`. False when it is no longer there, or no longer what it was.

    The decided rights stay: whoever changed them writes them, and has LiveKit follow.
    """
    found = VoiceState.objects.filter(pk=connection_id, joined_at__isnull=not is_joined)
    if is_joined:
        return found.update(token_nonce=nonce) == 1
    return found.update(token_nonce=nonce, server_id=server_id, seat_until=until) == 1


def unseat(*, channel_id: int, room: str, now: datetime) -> None:
    """The room's server is lost: everybody keeps a seat, without server, for VOICE_DOWN_GRACE.

    Their next token, for the same connection, is for the new server.
    """
    states = VoiceState.objects.filter(channel_id=channel_id)
    end(states.filter(seat_until__lte=now), room=room, reason=EndReason.EXPIRED, now=now)
    were_in = list(states.filter(joined_at__isnull=False).values_list("pk", flat=True))
    states.update(
        server=None,
        joined_at=None,
        seat_until=now + timedelta(seconds=settings.VOICE_DOWN_GRACE),
        participant_sid="",
        room_sid="",
        missing_since=None,
        # Another server has another clock. Which visit is over stays so: the room may come back.
        gone_joined_at_ms=0,
        version=F("version") + Case(When(pk__in=were_in, then=1), default=0),
    )
    guild_id = guild_of(room)
    for state in states.filter(pk__in=were_in):
        events.state_changed(state, guild_id=guild_id)
    journal.tell("failed_over", channel_id=channel_id, guild_id=guild_id)


def token_end(now: datetime) -> datetime:
    """Until when LiveKit takes a token that is minted now: its expiry, and LiveKit's leeway."""
    return now + timedelta(seconds=settings.VOICE_TOKEN_TTL + settings.VOICE_TOKEN_LEEWAY)
