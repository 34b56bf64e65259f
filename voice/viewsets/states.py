"""The routes of voice states: one's own, and those of others."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from fluxer.errors import InvalidFormBody
from voice import presence, roster
from voice import serializers as shapes
from voice.states.changes import FLAGS
from voice.viewsets.requests import GUILD_ERRORS, JOIN_ERRORS, SEEN_ERRORS, caller, device, parsed

_OWN_ERRORS = {
    "retrieve": (*GUILD_ERRORS, "UNKNOWN_VOICE_STATE", "UNKNOWN_CHANNEL", "INVALID_CHANNEL_TYPE"),
    "partial_update": (*JOIN_ERRORS, "UNKNOWN_GUILD", "USER_NOT_IN_VOICE"),
}


class _OwnState(ViewSet):
    error_codes = _OWN_ERRORS

    @property
    def throttle_scope(self) -> str:
        return "read" if self.action == "retrieve" else "state"

    def _own(self, request: Request, **place: int) -> Response:
        query = parsed(shapes.ConnectionQuery, request.query_params.dict())
        state = roster.own(
            user_id=caller(request),
            session=device(request),
            connection_id=query.get("connection_id"),
            **place,
        )
        return Response(state)

    def _update(self, request: Request, body: dict[str, Any], **place: int) -> Response:
        change = presence.Change(
            user_id=caller(request),
            session=device(request),
            channel_id=body.get("channel_id", presence.KEEP),
            connection_id=body.get("connection_id"),
            flags={name: body[name] for name in FLAGS if name in body},
            **place,
        )
        return Response(presence.update(change))


@extend_schema(tags=["voice states"], responses=shapes.VoiceStateObject)
class GuildOwnStateViewSet(_OwnState):
    """One's own voice state in a guild."""

    @extend_schema(parameters=[shapes.ConnectionQuery])
    def retrieve(self, request: Request, guild_id: int) -> Response:
        """The connection named or what replaced it; else this session's, else the newest."""
        roster.require_member(user_id=caller(request), guild_id=guild_id)
        return self._own(request, guild_id=guild_id)

    @extend_schema(request=shapes.StateChange)
    def partial_update(self, request: Request, guild_id: int) -> Response:
        """Join, move, set flags, or leave with `channel_id: null`."""
        body = parsed(shapes.StateChange, request.data)
        roster.require_member(user_id=caller(request), guild_id=guild_id)
        return self._update(request, body, guild_id=guild_id)


@extend_schema(tags=["voice states"], responses=shapes.VoiceStateObject)
class CallOwnStateViewSet(_OwnState):
    """One's own voice state in a DM or group DM."""

    @extend_schema(parameters=[shapes.ConnectionQuery])
    def retrieve(self, request: Request, channel_id: int) -> Response:
        """The connection named or what replaced it; else this session's, else the newest."""
        roster.require_recipient(user_id=caller(request), channel_id=channel_id)
        return self._own(request, call_id=channel_id)

    @extend_schema(request=shapes.StateChange)
    def partial_update(self, request: Request, channel_id: int) -> Response:
        """Join with the path's `channel_id`, set flags, or leave with null."""
        body = parsed(shapes.StateChange, request.data)
        roster.require_recipient(user_id=caller(request), channel_id=channel_id)
        if body.get("channel_id") not in (None, channel_id):
            raise InvalidFormBody.at("channel_id", "MISMATCH", "The path names another channel.")
        return self._update(request, body, call_id=channel_id)


class GuildStatesViewSet(ViewSet):
    """Who is in voice in a guild."""

    throttle_scope = "read"
    error_codes = {"list": GUILD_ERRORS, "retrieve": (*GUILD_ERRORS, "UNKNOWN_VOICE_STATE")}

    @extend_schema(tags=["voice states"], responses=shapes.VoiceStateObject(many=True))
    def list(self, request: Request, guild_id: int) -> Response:
        """The states in the channels that the caller can see, reserved seats included."""
        return Response(roster.in_guild(caller_id=caller(request), guild_id=guild_id))

    @extend_schema(tags=["voice states"], responses=shapes.VoiceStateObject)
    def retrieve(self, request: Request, guild_id: int, user_id: int) -> Response:
        """A member's newest that the caller can see."""
        return Response(
            roster.of_member(caller_id=caller(request), guild_id=guild_id, user_id=user_id)
        )


class ChannelStatesViewSet(ViewSet):
    """Who is in one channel."""

    throttle_scope = "read"
    error_codes = SEEN_ERRORS

    @extend_schema(tags=["voice states"], responses=shapes.VoiceStateObject(many=True))
    def list(self, request: Request, channel_id: int) -> Response:
        """The channel's states, for those who can see it; a call's, for its recipients."""
        return Response(roster.in_channel(caller_id=caller(request), channel_id=channel_id))
