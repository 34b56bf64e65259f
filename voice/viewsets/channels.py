"""The routes of a channel's voice settings."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from voice import channels, operations
from voice import serializers as shapes
from voice.viewsets.requests import SEEN_ERRORS, actor, caller, parsed


class ChannelViewSet(ViewSet):
    """A channel's voice settings."""

    error_codes = {
        "retrieve": SEEN_ERRORS,
        "partial_update": (*SEEN_ERRORS, "INVALID_CHANNEL_TYPE", "UNKNOWN_VOICE_REGION"),
        "disconnect": (*SEEN_ERRORS, "INVALID_CHANNEL_TYPE"),
    }

    @property
    def throttle_scope(self) -> str:
        return "read" if self.action == "retrieve" else "moderation"

    @extend_schema(tags=["channels"], responses=shapes.ChannelObject)
    def retrieve(self, request: Request, channel_id: int) -> Response:
        """The channel, for who can see it."""
        return Response(channels.show(user_id=caller(request), channel_id=channel_id))

    @extend_schema(tags=["channels"], request=shapes.ChannelChange, responses=shapes.ChannelObject)
    def partial_update(self, request: Request, channel_id: int) -> Response:
        """A changed `rtc_region` disconnects everybody: they meet again in the new region."""
        values = parsed(shapes.ChannelChange, request.data)
        return Response(
            channels.change(
                user_id=caller(request),
                channel_id=channel_id,
                values=values,
                by=actor(request),
            )
        )

    @extend_schema(tags=["moderation"], request=None, responses=shapes.Disconnected)
    def disconnect(self, request: Request, channel_id: int) -> Response:
        """Every connection of the channel ends."""
        channels.require_mover(user_id=caller(request), channel_id=channel_id)
        count = operations.disconnect_channel(channel_id=channel_id, by=actor(request))
        return Response({"success": True, "disconnected_count": count})
