"""Who is in a room: as LiveKit shows it, and out of it, for the back end and for staff."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from livekit.protocol.models import ParticipantInfo, TrackType

from fluxer import livekit
from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel
from fluxer.errors import UnknownChannel
from fluxer.livekit import LiveKitError
from regions.errors import UnknownVoiceServer
from regions.models import Server
from voice import audit, due
from voice.audit import Actor
from voice.errors import VoiceServerError
from voice.models import EndedConnection, EndReason, RoomPin, VoiceState
from voice.states import endings, lookup


def list_participants(
    *, channel_id: int, region_id: str | None = None, server_id: str | None = None
) -> list[dict[str, Any]]:
    """Who LiveKit shows in the room, on the server it is pinned to or on the one named
    ("List Participants").

    UnknownVoiceServer when neither is; VoiceServerError when LiveKit does not answer: an error is
    never an empty list.
    """
    channel = require_channel(channel_id)
    if region_id is not None and server_id is not None:
        server = require_server(region_id, server_id)
    else:
        pin = RoomPin.objects.select_related("server").filter(channel=channel).first()
        if pin is None:
            raise UnknownVoiceServer("The channel's room is on no server; name one")
        server = pin.server
    try:
        shown = livekit.list_participants(server.livekit, room=endings.room_of(channel))
    except LiveKitError as error:
        raise VoiceServerError(error_code="LIVEKIT_UNAVAILABLE", retryable=True) from error
    return [_participant(info) for info in shown]


def _participant(info: ParticipantInfo) -> dict[str, Any]:
    return {
        "identity": info.identity,
        "state": ParticipantInfo.State.Name(info.state),
        "tracks": [
            {"sid": track.sid, "type": TrackType.Name(track.type), "muted": track.muted}
            for track in info.tracks
        ],
        "metadata": info.metadata,
        "joined_at": info.joined_at,
    }


@transaction.atomic
def disconnect_participant(
    *, channel_id: int, user_id: int, connection_id: str | None = None, by: Actor
) -> int:
    """The user is out of the channel, with one connection or with all; how many ended
    ("Disconnect User").

    Out of LiveKit too, even if the pin is gone and we had them down as away.
    """
    channel = locked_channel(channel_id)
    states = meant_in(channel, user_id, connection_id)
    room, now = endings.room_of(channel), timezone.now()
    rooms = {(pk, room) for pk in _servers_of(channel_id, user_id)}
    rooms |= endings.end(states, room=room, reason=EndReason.DISCONNECTED, now=now)
    barred = Q(channel_id=channel_id, user_id=user_id)
    if connection_id:
        barred &= Q(pk=lookup.current_id(connection_id, user_id=user_id))
    away = EndedConnection.objects.filter(barred, may_return_until__gt=now).exists()
    endings.bar(barred)
    if states or away:
        audit.write(
            by,
            "disconnect",
            guild_id=channel.guild_id,
            channel_id=channel_id,
            target_id=user_id,
        )
    due.mark(*rooms)
    return len(states)


def _servers_of(channel_id: int, user_id: int) -> set[int]:
    """Where LiveKit may still show the user in this channel: the pin's, and where they were."""
    away = EndedConnection.objects.filter(channel_id=channel_id, user_id=user_id)
    were = set(away.values_list("server_id", flat=True))
    pinned = Q(pins__channel_id=channel_id)
    servers = Server.objects.filter(pinned | Q(pk__in=[pk for pk in were if pk is not None]))
    return set(servers.values_list("pk", flat=True))


@transaction.atomic
def disconnect_channel(*, channel_id: int, by: Actor) -> int:
    """Everybody is out; how many connections ended ("Disconnect Entire Channel"). An empty room
    is 0."""
    channel = locked_channel(channel_id)
    count, rooms = endings.end_channel(channel, reason=EndReason.DISCONNECTED, now=timezone.now())
    audit.write(by, "disconnect_channel", guild_id=channel.guild_id, channel_id=channel_id)
    due.mark(*rooms)
    return count


def meant_in(channel: Channel, user_id: int, connection_id: str | None) -> Sequence[VoiceState]:
    """The user's connections in the channel, newest first, or the one named or what replaced it."""
    states = lookup.live(user_id=user_id, channel_id=channel.pk)
    if connection_id is not None:
        states = states.filter(pk=lookup.current_id(connection_id, user_id=user_id))
    return list(states)


def require_channel(channel_id: int) -> Channel:
    """The channel, or UnknownChannel."""
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        raise UnknownChannel
    return channel


def locked_channel(channel_id: int) -> Channel:
    """The same, locked."""
    channels = lock_channels([channel_id])
    if not channels:
        raise UnknownChannel
    return channels[0]


def require_server(region_id: str, server_id: str) -> Server:
    """The server, or UnknownVoiceServer."""
    server = Server.objects.filter(region_id=region_id, slug=server_id).first()
    if server is None:
        raise UnknownVoiceServer
    return server
