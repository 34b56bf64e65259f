"""The voice operations for the back end, under `/service/channels/{channel_id}/voice`."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from fluxer.authentication import IsService, ServiceAuthentication
from voice import operations, service_shapes
from voice import serializers as shapes
from voice.viewsets import actor, parsed

_WORDS, _RIGHTS = ("mute", "deaf"), ("can_speak", "can_stream", "can_video")


class VoiceOperations(ViewSet):
    """A channel's room as the back end handles it."""

    authentication_classes = (ServiceAuthentication,)
    permission_classes = (IsService,)
    error_codes: Any = {
        "pin": ("UNKNOWN_CHANNEL", "UNKNOWN_VOICE_SERVER"),
        "participants": ("UNKNOWN_CHANNEL", "UNKNOWN_VOICE_SERVER", "VOICE_SERVER_ERROR"),
        "remove": ("UNKNOWN_CHANNEL",),
        "change": ("UNKNOWN_CHANNEL", "USER_NOT_IN_VOICE", "UNKNOWN_MEMBER", "UNKNOWN_GUILD"),
        "disconnect": ("UNKNOWN_CHANNEL",),
    }

    @extend_schema(tags=["service: voice"], responses=service_shapes.PinObject)
    def pin(self, request: Request, channel_id: int) -> Response:
        """Where the room is pinned."""
        pin = operations.get_pinned_room_server(channel_id=channel_id)
        return Response(service_shapes.PinObject(pin).data)

    @extend_schema(
        tags=["service: voice"],
        parameters=[service_shapes.ParticipantQuery],
        responses=service_shapes.Participants,
    )
    def participants(self, request: Request, channel_id: int) -> Response:
        """Whom LiveKit shows in the room, on its own server or on the one named."""
        query = parsed(service_shapes.ParticipantQuery, request.query_params.dict())
        found = operations.list_participants(channel_id=channel_id, **query)
        return Response({"status": "success", "participants": found})

    @extend_schema(
        tags=["service: voice"], parameters=[shapes.ConnectionQuery], responses={204: None}
    )
    def remove(self, request: Request, channel_id: int, user_id: int) -> Response:
        """Somebody is out, with one connection or with all."""
        query = parsed(shapes.ConnectionQuery, request.query_params.dict())
        operations.disconnect_participant(
            channel_id=channel_id, user_id=user_id, by=actor(request), **query
        )
        return Response(status=204)

    @extend_schema(
        tags=["service: voice"],
        request=service_shapes.ParticipantChange,
        responses=shapes.VoiceStateObject(many=True),
    )
    def change(self, request: Request, channel_id: int, user_id: int) -> Response:
        """Server mute and deaf, and what somebody may publish; the states that were touched."""
        body = parsed(service_shapes.ParticipantChange, request.data)
        states = operations.update(
            channel_id=channel_id,
            user_id=user_id,
            connection_id=body.get("connection_id"),
            words={name: body[name] for name in _WORDS if name in body},
            rights={name: body[name] for name in _RIGHTS if name in body},
            by=actor(request),
        )
        return Response(states)

    @extend_schema(tags=["service: voice"], request=None, responses=shapes.Disconnected)
    def disconnect(self, request: Request, channel_id: int) -> Response:
        """Every connection of the channel ends; an empty room is 0."""
        count = operations.disconnect_channel(channel_id=channel_id, by=actor(request))
        return Response({"success": True, "disconnected_count": count})
