"""The routes of voice: each parses, calls and renders."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from fluxer.requests import read_body
from voice import tokens, webhooks
from voice.access import Wish
from voice.serializers import TokenGrant, TokenRequest

_JOIN_ERRORS = (
    "UNKNOWN_CHANNEL",
    "UNKNOWN_MEMBER",
    "INVALID_CHANNEL_TYPE",
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_ONE_ON_ONE_VOICE_CALLS",
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS",
    "VOICE_MEMBER_TIMED_OUT",
    "MISSING_PERMISSIONS",
    "VOICE_CHANNEL_FULL",
    "VOICE_CONNECTION_LIMIT_REACHED",
    "VOICE_CONNECTION_NOT_FOUND",
)


class VoiceTokenViewSet(ViewSet):
    """Tokens to join a channel's room with."""

    throttle_scope = "token"
    error_codes = (*_JOIN_ERRORS, "UNKNOWN_VOICE_REGION", "FEATURE_TEMPORARILY_DISABLED")

    @extend_schema(request=TokenRequest, responses=TokenGrant, tags=["voice"])
    def create(self, request: Request, channel_id: int) -> Response:
        """A token, and a seat in the channel that is reserved with it.

        With `connection_id` a connection that lives gets another token; without it each request
        is a new connection.
        """
        wish = TokenRequest(data=request.data)
        wish.is_valid(raise_exception=True)
        body = wish.validated_data
        near = None if body["latitude"] is None else (body["latitude"], body["longitude"])
        grant = tokens.issue(
            Wish(
                user_id=request.user.pk,
                channel_id=channel_id,
                guild_id=body["guild_id"],
                session=request.auth.session,
                region_id=body["region"],
                connection_id=body["connection_id"],
                named_channel_id=body.get("channel_id"),
            ),
            near=near,
        )
        return Response(grant)


class LiveKitWebhookView(APIView):
    """Where LiveKit tells us what happens in the rooms."""

    authentication_classes = ()
    permission_classes = ()
    body_limit = 256 * 1024
    schema: Any = None

    def post(
        self, request: Request, region_id: str | None = None, server_id: str | None = None
    ) -> Response:
        webhooks.receive(
            body=read_body(request._request, limit=self.body_limit),
            authorization=request.headers.get("Authorization", ""),
            region_id=region_id,
            server_id=server_id,
        )
        return Response({})
