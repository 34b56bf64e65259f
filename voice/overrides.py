"""What the back end says of somebody in voice: mute and deaf, and what they may publish.

In guilds mute and deaf are the member's; in calls, and the three rights anywhere, they are
overrides that hold for these connections' lives and outlast every later settle.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from fluxer.directory import standing
from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel
from voice import audit, due
from voice.audit import Actor
from voice.errors import UserNotInVoice
from voice.models import VoiceState
from voice.moderation import moderate
from voice.objects import voice_state
from voice.orders import Order
from voice.participants import locked_channel, meant_in, require_channel
from voice.states import changes, endings, lookup
from voice.states.visit import judge


@transaction.atomic
def update(
    *,
    channel_id: int,
    user_id: int,
    words: Mapping[str, bool],
    rights: Mapping[str, bool],
    connection_id: str | None = None,
    by: Actor,
) -> list[dict[str, Any]]:
    """Both of the following, all or nothing; the states that were touched. UserNotInVoice."""
    meant: dict[str, Any] = {
        "channel_id": channel_id,
        "user_id": user_id,
        "connection_id": connection_id,
        "by": by,
    }
    channel = require_channel(channel_id)
    guild_wide = words and channel.guild_id is not None
    # A member's mute reaches all their channels: all of them are locked at once, in id order.
    mine = lookup.live(user_id=user_id, guild_id=channel.guild_id) if guild_wide else []
    lock_channels({channel_id, *(state.channel_id for state in mine)})
    if not meant_in(channel, user_id, connection_id):
        raise UserNotInVoice
    if words:
        update_participant(**meant, words=words)
    if rights:
        update_participant_permissions(**meant, rights=rights)
    touched = meant_in(channel, user_id, connection_id)
    return [voice_state(state, guild_id=channel.guild_id) for state in touched]


def update_participant(
    *,
    channel_id: int,
    user_id: int,
    words: Mapping[str, bool],
    connection_id: str | None = None,
    by: Actor,
) -> None:
    """Server mute and deaf ("Update Participant")."""
    guild_id = require_channel(channel_id).guild_id
    if guild_id is not None:
        moderate(Order(guild_id=guild_id, user_id=user_id, words=words), by=by)
        return
    _override(channel_id, user_id, connection_id, words)
    audit.words(by, words, guild_id=None, target_id=user_id, channel_id=channel_id)


def update_participant_permissions(
    *,
    channel_id: int,
    user_id: int,
    rights: Mapping[str, bool],
    connection_id: str | None = None,
    by: Actor,
) -> None:
    """`can_speak`, `can_stream`, `can_video` ("Update Permissions"). A mute still wins."""
    words = {name.removeprefix("can_"): value for name, value in rights.items()}
    guild_id = _override(channel_id, user_id, connection_id, words)
    audit.write(
        by, "update_permissions", guild_id=guild_id, target_id=user_id, channel_id=channel_id
    )


@transaction.atomic
def _override(
    channel_id: int, user_id: int, connection_id: str | None, words: Mapping[str, bool]
) -> int | None:
    """The channel's guild, after these words were written on the connections that are meant."""
    channel = locked_channel(channel_id)
    states = meant_in(channel, user_id, connection_id)
    if not states:
        raise UserNotInVoice
    there, now = standing.read(user_id=user_id, channel_id=channel_id), timezone.now()
    overrides = {f"override_{name}": value for name, value in words.items()}
    due.mark(*_written(channel, states, overrides, there, now))
    return channel.guild_id


def _written(
    channel: Channel,
    states: Iterable[VoiceState],
    overrides: Mapping[str, bool],
    there: standing.Standing | None,
    now: datetime,
) -> endings.Rooms:
    rooms: endings.Rooms = set()
    for state in states:
        changes.override(state, overrides)
        rights = judge(there, state, now=now)
        if rights is not None and changes.write(
            state, {}, rights=rights, guild_id=channel.guild_id
        ):
            rooms |= {(state.server_id, endings.room_of(channel))} if state.server_id else set()
    return rooms
