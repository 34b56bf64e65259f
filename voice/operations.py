"""The seed's operations, by name, for the back end and for staff."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from livekit.protocol.models import ParticipantInfo, TrackType

from fluxer import livekit
from fluxer.directory import standing
from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel
from fluxer.errors import UnknownChannel
from fluxer.livekit import LiveKitUnavailable
from regions.errors import UnknownVoiceServer
from regions.models import Server
from voice import audit, due, pins
from voice.audit import Actor
from voice.errors import UserNotInVoice, VoiceServerError
from voice.models import EndedConnection, EndReason, RoomPin, VoiceState
from voice.moderation import moderate
from voice.objects import voice_state
from voice.orders import Order
from voice.states import changes, endings, lookup
from voice.states.visit import judge


@dataclass(frozen=True, slots=True)
class PinnedRoom:
    """Where a channel's room lives."""

    region_id: str
    server_id: str
    endpoint: str
    pinned_at: datetime
    expires_at: datetime | None


def get_pinned_room_server(*, channel_id: int) -> PinnedRoom:
    """The pin. UnknownChannel; UnknownVoiceServer when the room is not pinned."""
    pin = RoomPin.objects.select_related("server").filter(channel_id=channel_id).first()
    if pin is None:
        _channel(channel_id)
        raise UnknownVoiceServer("The channel's room is on no server")
    server = pin.server
    return PinnedRoom(server.region_id, server.slug, server.endpoint, pin.pinned_at, pin.expires_at)


@transaction.atomic
def pin_room_server(*, channel_id: int, region_id: str, server_id: str) -> PinnedRoom:
    """Pin a room that has no pin yet; one that has keeps it, and the answer says which."""
    server = _server(region_id, server_id)
    if not lock_channels([channel_id]):
        raise UnknownChannel
    if not RoomPin.objects.filter(channel_id=channel_id).exists():
        now = timezone.now()
        pins.pin(channel_id=channel_id, server_id=server.pk, made_at=_NEVER, now=now)
        pins.let_go(channel_id=channel_id, now=now)
    return get_pinned_room_server(channel_id=channel_id)


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def list_participants(
    *, channel_id: int, region_id: str | None = None, server_id: str | None = None
) -> list[dict[str, Any]]:
    """Who LiveKit shows in the room, on the server it is pinned to or on the one named.

    UnknownVoiceServer when neither is; VoiceServerError when LiveKit does not answer: an error is
    never an empty list.
    """
    channel = _channel(channel_id)
    if region_id is not None and server_id is not None:
        server = _server(region_id, server_id)
    else:
        pin = RoomPin.objects.select_related("server").filter(channel=channel).first()
        if pin is None:
            raise UnknownVoiceServer("The channel's room is on no server; name one")
        server = pin.server
    try:
        shown = livekit.list_participants(server.livekit, room=endings.room_of(channel))
    except LiveKitUnavailable as error:
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
    """The user is out of the channel, with one connection or with all; how many ended.

    Out of LiveKit too, even if the pin is gone and we had them down as away.
    """
    channel = _locked(channel_id)
    states = _meant(channel, user_id, connection_id)
    away = EndedConnection.objects.filter(channel_id=channel_id, user_id=user_id)
    room, now = endings.room_of(channel), timezone.now()
    rooms = {(pk, room) for pk in away.values_list("server_id", flat=True) if pk is not None}
    rooms &= {(pk, room) for pk in Server.objects.values_list("pk", flat=True)}
    rooms |= endings.end(states, room=room, reason=EndReason.DISCONNECTED, now=now)
    barred = Q(channel_id=channel_id, user_id=user_id)
    endings.bar(barred & Q(pk=connection_id) if connection_id else barred)
    if states:
        audit.write(
            by,
            "disconnect",
            guild_id=channel.guild_id,
            channel_id=channel_id,
            target_id=user_id,
        )
    due.mark(*rooms)
    return len(states)


@transaction.atomic
def disconnect_channel(*, channel_id: int, by: Actor) -> int:
    """Everybody is out; how many connections ended. An empty room is 0."""
    channel = _locked(channel_id)
    count, rooms = endings.end_channel(channel, reason=EndReason.DISCONNECTED, now=timezone.now())
    audit.write(by, "disconnect_channel", guild_id=channel.guild_id, channel_id=channel_id)
    due.mark(*rooms)
    return count


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
    """Both of the following, all or nothing; the states that were touched."""
    channel = _channel(channel_id)
    guild_wide = words and channel.guild_id is not None
    # A member's mute reaches all their channels: all of them are locked at once, in id order.
    mine = lookup.live(user_id=user_id, guild_id=channel.guild_id) if guild_wide else []
    lock_channels({channel_id, *(state.channel_id for state in mine)})
    if not _meant(channel, user_id, connection_id):
        raise UserNotInVoice
    if words:
        update_participant(
            channel_id=channel_id,
            user_id=user_id,
            words=words,
            connection_id=connection_id,
            by=by,
        )
    if rights:
        update_participant_permissions(
            channel_id=channel_id, user_id=user_id, rights=rights, connection_id=connection_id
        )
    touched = _meant(channel, user_id, connection_id)
    return [voice_state(state, guild_id=channel.guild_id) for state in touched]


def update_participant(
    *,
    channel_id: int,
    user_id: int,
    words: Mapping[str, bool],
    connection_id: str | None = None,
    by: Actor,
) -> None:
    """Server mute and deaf: in guilds the member's, in calls for these connections' lives."""
    guild_id = _channel(channel_id).guild_id
    if guild_id is None:
        _override(channel_id, user_id, connection_id, words)
    else:
        moderate(Order(guild_id=guild_id, user_id=user_id, words=words), by=by)


def update_participant_permissions(
    *,
    channel_id: int,
    user_id: int,
    rights: Mapping[str, bool],
    connection_id: str | None = None,
) -> None:
    """`can_speak`, `can_stream`, `can_video`, for these connections' lives. A mute still wins."""
    words = {name.removeprefix("can_"): value for name, value in rights.items()}
    _override(channel_id, user_id, connection_id, words)


@transaction.atomic
def _override(
    channel_id: int, user_id: int, connection_id: str | None, words: Mapping[str, bool]
) -> None:
    channel = _locked(channel_id)
    states = _meant(channel, user_id, connection_id)
    if not states:
        raise UserNotInVoice
    there, now = standing.read(user_id=user_id, channel_id=channel_id), timezone.now()
    overrides = {f"override_{name}": value for name, value in words.items()}
    due.mark(*_written(channel, states, overrides, there, now))


def _written(
    channel: Channel,
    states: Iterable[VoiceState],
    overrides: Mapping[str, bool],
    there: standing.Standing | None,
    now: datetime,
) -> endings.Rooms:
    rooms: endings.Rooms = set()
    for state in states:
        for name, value in overrides.items():
            setattr(state, name, value)
        rights = judge(there, state, now=now)
        state.save(update_fields=list(overrides))
        if rights is not None and changes.write(
            state, {}, rights=rights, guild_id=channel.guild_id
        ):
            rooms |= {(state.server_id, endings.room_of(channel))} if state.server_id else set()
    return rooms


def _meant(channel: Channel, user_id: int, connection_id: str | None) -> Sequence[VoiceState]:
    states = lookup.live(user_id=user_id, channel_id=channel.pk)
    if connection_id is not None:
        states = states.filter(pk=lookup.current_id(connection_id, user_id=user_id))
    return list(states)


def _channel(channel_id: int) -> Channel:
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        raise UnknownChannel
    return channel


def _locked(channel_id: int) -> Channel:
    channels = lock_channels([channel_id])
    if not channels:
        raise UnknownChannel
    return channels[0]


def _server(region_id: str, server_id: str) -> Server:
    server = Server.objects.filter(region_id=region_id, slug=server_id).first()
    if server is None:
        raise UnknownVoiceServer
    return server
