"""The voice state object: the seed's 11 keys, always all of them, and our three."""

from typing import Any

from voice.models import EndedConnection, VoiceState

Remembered = VoiceState | EndedConnection


def voice_state(kept: Remembered, *, guild_id: int | None, is_over: bool = False) -> dict[str, Any]:
    """A connection as the API and the events show it; `is_over` leaves the channel out."""
    joined_at = kept.joined_at if isinstance(kept, VoiceState) and not is_over else None
    return {
        "user_id": str(kept.user_id),
        "guild_id": _id(guild_id),
        "channel_id": None if is_over else str(kept.channel_id),
        "session_id": kept.session,
        "self_mute": kept.self_mute,
        "self_deaf": kept.self_deaf,
        "self_video": kept.self_video and kept.can_video,
        "self_stream": kept.self_stream and kept.can_stream,
        "mute": kept.mute,
        "deaf": kept.deaf,
        "suppress": kept.suppress,
        "connection_id": kept.connection_id,
        "version": kept.version,
        "joined_at": joined_at.isoformat().replace("+00:00", "Z") if joined_at else None,
    }


def nowhere(
    *, user_id: int, guild_id: int | None, session: str | None, mute: bool, deaf: bool
) -> dict[str, Any]:
    """The object of somebody who is not in voice."""
    return {
        "user_id": str(user_id),
        "guild_id": _id(guild_id),
        "channel_id": None,
        "session_id": session,
        "self_mute": False,
        "self_deaf": False,
        "self_video": False,
        "self_stream": False,
        "mute": mute,
        "deaf": deaf,
        "suppress": False,
        "connection_id": None,
        "version": 0,
        "joined_at": None,
    }


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)
