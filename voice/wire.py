"""LiveKit's messages, read and written in our words."""

from typing import Any

from django.conf import settings
from livekit.protocol.models import (
    ParticipantInfo,
    ParticipantPermission,
    TrackInfo,
    TrackSource,
    TrackType,
)

from voice import grants
from voice.grants import Rights

_SOURCES: dict[str, Any] = {name.lower(): number for name, number in TrackSource.items()}


def permission(rights: Rights) -> ParticipantPermission:
    """The whole permission: an update replaces it, and what is left out would be taken away."""
    return ParticipantPermission(
        can_subscribe=not rights.deaf,
        can_publish=bool(rights.sources),
        can_publish_data=True,
        can_publish_sources=[_SOURCES[name] for name in rights.sources],
    )


def agrees(shown: ParticipantPermission, rights: Rights) -> bool:
    """The participant may do exactly what we decided, however LiveKit writes it."""
    normal = grants.shown(
        can_publish=shown.can_publish,
        can_subscribe=shown.can_subscribe,
        can_publish_data=shown.can_publish_data,
        sources=[_name(source) for source in shown.can_publish_sources],
        extra=shown.can_update_metadata or is_unseen(shown),
    )
    return normal == grants.wanted(rights)


def is_unseen(shown: ParticipantPermission) -> bool:
    """Hidden from the others, or a recorder: nothing that we ever make."""
    return shown.hidden or shown.recorder


def source(track: TrackInfo) -> str:
    """What a track says that it is: microphone, camera, screen_share, …"""
    return _name(track.source)


def _name(source: int) -> str:
    """A newer LiveKit may know sources that we do not: none of those is ever granted."""
    known: str = TrackSource.Name(source) if source in TrackSource.values() else f"source_{source}"
    return known.lower()


def is_honest(track: TrackInfo) -> bool:
    """Its kind fits its source: LiveKit does not look, so sound could be sent as a camera."""
    if track.type not in (TrackType.AUDIO, TrackType.VIDEO):
        return True
    sound = (TrackSource.MICROPHONE, TrackSource.SCREEN_SHARE_AUDIO)
    sight = (TrackSource.CAMERA, TrackSource.SCREEN_SHARE)
    return track.source in (sound if track.type == TrackType.AUDIO else sight)


def joined_at_ms(participant: ParticipantInfo) -> int:
    """When the visit began, in milliseconds; older servers know only the second."""
    return participant.joined_at_ms or participant.joined_at * 1000


def lifetime() -> int:
    """For CreateRoom, in seconds: nobody can join a room that is not there, so an empty one
    outlives a pin and a token."""
    return int(settings.VOICE_PIN_TIMEOUT + settings.VOICE_TOKEN_TTL + 120)
