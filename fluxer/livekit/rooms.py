"""What we ask of LiveKit's RoomService, each with exactly the grant that it needs.

All raise LiveKitUnavailable; those that name something that must exist raise LiveKitGone.
`timeout` is in seconds, LIVEKIT_TIMEOUT when None.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomRequest,
    DeleteRoomResponse,
    ListParticipantsRequest,
    ListParticipantsResponse,
    ListRoomsRequest,
    ListRoomsResponse,
    RemoveParticipantResponse,
    RoomParticipantIdentity,
    UpdateParticipantRequest,
)

from fluxer.livekit.calls import Call, LiveKitServer
from fluxer.livekit.errors import LiveKitUnavailable
from fluxer.livekit.verbs import Verb


@Verb
def create_room(
    server: LiveKitServer,
    *,
    name: str,
    empty_timeout: int,
    departure_timeout: int,
    metadata: str = "",
    timeout: float | None = None,
) -> Call[Room]:
    """The room, made now or, unchanged, the one that lives already."""
    request = CreateRoomRequest(
        name=name,
        empty_timeout=empty_timeout,
        departure_timeout=departure_timeout,
        metadata=metadata,
    )

    def read(body: bytes) -> Room:
        room = Room.FromString(body)
        if room.name != name or not room.sid:
            raise LiveKitUnavailable("LiveKit answered CreateRoom with another room")
        return room

    return Call(server, "CreateRoom", request, read, {"roomCreate": True}, _deadline(timeout))


@Verb
def list_rooms(
    server: LiveKitServer, *, names: Iterable[str] = (), timeout: float | None = None
) -> Call[list[Room]]:
    """The rooms that live there, or those of `names`; without names, all of them."""

    def read(body: bytes) -> list[Room]:
        return list(ListRoomsResponse.FromString(body).rooms)

    request = ListRoomsRequest(names=list(names))
    return Call(server, "ListRooms", request, read, {"roomList": True}, _deadline(timeout))


@Verb
def list_participants(
    server: LiveKitServer, *, room: str, timeout: float | None = None
) -> Call[list[ParticipantInfo]]:
    """Who is in, hidden ones and those still joining too. A room that does not exist is empty."""

    def read(body: bytes) -> list[ParticipantInfo]:
        return list(ListParticipantsResponse.FromString(body).participants)

    request = ListParticipantsRequest(room=room)
    return Call(server, "ListParticipants", request, read, _admin(room), _deadline(timeout))


@Verb
def remove_participant(
    server: LiveKitServer, *, room: str, identity: str, timeout: float | None = None
) -> Call[None]:
    """Out of the room; the token they hold lets them in again.

    Raises LiveKitGone if they are not in."""

    def read(body: bytes) -> None:
        RemoveParticipantResponse.FromString(body)

    request = RoomParticipantIdentity(room=room, identity=identity)
    return Call(server, "RemoveParticipant", request, read, _admin(room), _deadline(timeout))


@Verb
def update_participant(
    server: LiveKitServer,
    *,
    room: str,
    identity: str,
    permission: ParticipantPermission,
    timeout: float | None = None,
) -> Call[ParticipantInfo]:
    """The participant, with this permission in place of the whole old one.

    Raises LiveKitGone if they are not in."""
    request = UpdateParticipantRequest(room=room, identity=identity, permission=permission)
    read = ParticipantInfo.FromString
    return Call(server, "UpdateParticipant", request, read, _admin(room), _deadline(timeout))


@Verb
def delete_room(server: LiveKitServer, *, room: str, timeout: float | None = None) -> Call[None]:
    """The room and everybody in it gone. Raises LiveKitGone if there is none."""

    def read(body: bytes) -> None:
        DeleteRoomResponse.FromString(body)

    request = DeleteRoomRequest(room=room)
    return Call(server, "DeleteRoom", request, read, {"roomCreate": True}, _deadline(timeout))


def _admin(room: str) -> dict[str, object]:
    return {"roomAdmin": True, "room": room}


def _deadline(timeout: float | None) -> float:
    return float(settings.LIVEKIT_TIMEOUT if timeout is None else timeout)
