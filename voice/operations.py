"""The seed's operations, by name: pins here, people in `participants` and `overrides`."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from regions.errors import UnknownVoiceServer
from voice import pins
from voice.models import RoomPin
from voice.overrides import update, update_participant, update_participant_permissions
from voice.participants import (
    disconnect_channel,
    disconnect_participant,
    list_participants,
    locked_channel,
    require_channel,
    require_server,
)

__all__ = [
    "PinnedRoom",
    "disconnect_channel",
    "disconnect_participant",
    "get_pinned_room_server",
    "list_participants",
    "pin_room_server",
    "update",
    "update_participant",
    "update_participant_permissions",
]

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PinnedRoom:
    """Where a channel's room lives."""

    region_id: str
    server_id: str
    endpoint: str
    pinned_at: datetime
    expires_at: datetime | None


def get_pinned_room_server(*, channel_id: int) -> PinnedRoom:
    """The pin ("Server Pinning"). UnknownChannel; UnknownVoiceServer without one."""
    pin = RoomPin.objects.select_related("server").filter(channel_id=channel_id).first()
    if pin is None:
        require_channel(channel_id)
        raise UnknownVoiceServer("The channel's room is on no server")
    server = pin.server
    return PinnedRoom(server.region_id, server.slug, server.endpoint, pin.pinned_at, pin.expires_at)


@transaction.atomic
def pin_room_server(*, channel_id: int, region_id: str, server_id: str) -> PinnedRoom:
    """Pin a room that has no pin yet; one that has keeps it, and the answer says which."""
    server = require_server(region_id, server_id)
    locked_channel(channel_id)
    if not RoomPin.objects.filter(channel_id=channel_id).exists():
        now = timezone.now()
        pins.pin(channel_id=channel_id, server_id=server.pk, made_at=_NEVER, now=now)
        pins.let_go(channel_id=channel_id, now=now)
    return get_pinned_room_server(channel_id=channel_id)
