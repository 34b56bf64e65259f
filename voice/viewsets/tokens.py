"""The route of tokens."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from fluxer import counters
from voice import serializers as shapes
from voice import tokens
from voice.access import Wish
from voice.viewsets.requests import JOIN_ERRORS, caller, device, parsed


class VoiceTokenViewSet(ViewSet):
    """Tokens to join a channel's room with."""

    throttle_scope = "token"
    error_codes = (*JOIN_ERRORS, "UNKNOWN_VOICE_REGION")

    @extend_schema(request=shapes.TokenRequest, responses=shapes.TokenGrant, tags=["voice"])
    def create(self, request: Request, channel_id: int) -> Response:
        """A token, and a seat in the channel that is reserved with it.

        With `connection_id` a connection that lives gets another token; without it each request
        is a new connection.
        """
        body = parsed(shapes.TokenRequest, request.data)
        near = None if body["latitude"] is None else (body["latitude"], body["longitude"])
        wish = Wish(
            user_id=caller(request),
            channel_id=channel_id,
            guild_id=body["guild_id"],
            session=device(request),
            region_id=body["region"],
            connection_id=body["connection_id"],
            named_channel_id=body.get("channel_id"),
        )
        return Response(tokens.issue(wish, near=near))

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Count the outcome, refusals by limit and authentication included."""
        data = response.data if isinstance(response.data, dict) else {}
        counters.tokens.labels(data.get("code", "ok")).inc()
        return super().finalize_response(request, response, *args, **kwargs)
