"""LiveKit's RoomService as the fake answers it: its grants, its codes and its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from livekit.protocol.models import DisconnectReason, ParticipantInfo, Room
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

from tests.livekit.fake_rooms import Rooms

STATUS = {
    "not_found": 404,
    "bad_route": 404,
    "unauthenticated": 401,
    "invalid_argument": 400,
    "internal": 500,
    "unavailable": 503,
    "resource_exhausted": 429,
    "deadline_exceeded": 408,
}
Video = dict[str, Any]


class TwirpError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = STATUS.get(code, 500)


class RoomService:
    """One method each: the request in, the answer out, or a TwirpError."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.methods: dict[str, tuple[type[Message], Callable[[Any, Video], Message]]] = {
            "CreateRoom": (CreateRoomRequest, self.create_room),
            "ListRooms": (ListRoomsRequest, self.list_rooms),
            "DeleteRoom": (DeleteRoomRequest, self.delete_room),
            "ListParticipants": (ListParticipantsRequest, self.list_participants),
            "GetParticipant": (RoomParticipantIdentity, self.get_participant),
            "RemoveParticipant": (RoomParticipantIdentity, self.remove_participant),
            "UpdateParticipant": (UpdateParticipantRequest, self.update_participant),
        }

    def create_room(self, request: CreateRoomRequest, video: Video) -> Room:
        _need(video.get("roomCreate"))
        if not request.name:
            raise TwirpError("invalid_argument", "no room name")
        return self.rooms.create(
            request.name,
            empty=request.empty_timeout,
            departure=request.departure_timeout,
            metadata=request.metadata,
        )

    def list_rooms(self, request: ListRoomsRequest, video: Video) -> ListRoomsResponse:
        _need(video.get("roomList"))
        return ListRoomsResponse(rooms=self.rooms.listing(list(request.names)))

    def delete_room(self, request: DeleteRoomRequest, video: Video) -> DeleteRoomResponse:
        _need(video.get("roomCreate"))
        if not self.rooms.close(request.room, reason=DisconnectReason.ROOM_DELETED):
            raise TwirpError("not_found", "requested room does not exist")
        return DeleteRoomResponse()

    def list_participants(
        self, request: ListParticipantsRequest, video: Video
    ) -> ListParticipantsResponse:
        _need_admin(video, request.room)
        return ListParticipantsResponse(participants=self.rooms.people(request.room))

    def get_participant(self, request: RoomParticipantIdentity, video: Video) -> ParticipantInfo:
        _need_admin(video, request.room)
        return _found(self.rooms.participant(request.room, request.identity))

    def remove_participant(
        self, request: RoomParticipantIdentity, video: Video
    ) -> RemoveParticipantResponse:
        _need_admin(video, request.room)
        reason = DisconnectReason.PARTICIPANT_REMOVED
        if not self.rooms.depart(request.room, request.identity, reason=reason):
            raise TwirpError("not_found", "participant does not exist")
        return RemoveParticipantResponse()

    def update_participant(
        self, request: UpdateParticipantRequest, video: Video
    ) -> ParticipantInfo:
        _need_admin(video, request.room)
        info = _found(self.rooms.participant(request.room, request.identity))
        if request.name:
            info.name = request.name
        if request.metadata:
            info.metadata = request.metadata
        if request.HasField("permission"):
            self.rooms.permit(request.room, request.identity, request.permission)
        return info


def _need(granted: object) -> None:
    if granted is not True:
        raise TwirpError("unauthenticated", "permissions denied")


def _need_admin(video: Video, room: str) -> None:
    _need(video.get("roomAdmin") is True and video.get("room") == room)


def _found(info: ParticipantInfo | None) -> ParticipantInfo:
    if info is None:
        raise TwirpError("not_found", "participant does not exist")
    return info
