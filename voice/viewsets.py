"""The routes of voice for people and LiveKit: each parses, calls and renders."""

from typing import Any
from urllib.parse import unquote

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from fluxer import counters
from fluxer.errors import InvalidFormBody
from fluxer.requests import read_body
from voice import audit, channels, moderation, operations, presence, rank, roster, tokens, webhooks
from voice import serializers as shapes
from voice.access import Wish
from voice.audit import Actor
from voice.orders import KEEP, Order
from voice.states.changes import FLAGS

_SEEN_ERRORS = ("UNKNOWN_CHANNEL", "UNKNOWN_MEMBER", "MISSING_PERMISSIONS")
_GUILD_ERRORS = ("UNKNOWN_GUILD", "UNKNOWN_MEMBER")
_JOIN_ERRORS = (
    *_SEEN_ERRORS,
    "INVALID_CHANNEL_TYPE",
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_ONE_ON_ONE_VOICE_CALLS",
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS",
    "VOICE_MEMBER_TIMED_OUT",
    "VOICE_CHANNEL_FULL",
    "VOICE_CONNECTION_LIMIT_REACHED",
    "VOICE_CONNECTION_NOT_FOUND",
    "FEATURE_TEMPORARILY_DISABLED",
)
_OWN_ERRORS = {
    "retrieve": (*_GUILD_ERRORS, "UNKNOWN_VOICE_STATE", "UNKNOWN_CHANNEL", "INVALID_CHANNEL_TYPE"),
    "partial_update": (*_JOIN_ERRORS, "UNKNOWN_GUILD", "USER_NOT_IN_VOICE"),
}


def parsed(kind: type[Serializer], data: Any) -> dict[str, Any]:
    """The valid values of a body or a query; InvalidFormBody otherwise."""
    serializer = kind(data=data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def caller(request: Request) -> int:
    """The id of the user who calls."""
    pk: int = request.user.pk  # type: ignore[assignment]  # a directory user, not Django's
    return pk


def device(request: Request) -> str | None:
    """The session (`sid`) that the caller's token names."""
    claims: Any = request.auth
    session: str | None = claims.session
    return session


def actor(request: Request) -> Actor:
    """The caller as one who moderates, with the reason of X-Audit-Log-Reason."""
    reason = unquote(request.headers.get("X-Audit-Log-Reason", ""))
    if len(reason) > 512 or "\x00" in reason:
        raise InvalidFormBody.at(
            "X-Audit-Log-Reason", "INVALID", "A reason has at most 512 characters, and no NUL."
        )
    return Actor("user" if request.user.pk else "service", request.user.pk, reason)


class VoiceTokenViewSet(ViewSet):
    """Tokens to join a channel's room with."""

    throttle_scope = "token"
    error_codes = (*_JOIN_ERRORS, "UNKNOWN_VOICE_REGION")

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


class _OwnState(ViewSet):
    error_codes = _OWN_ERRORS

    @property
    def throttle_scope(self) -> str:
        return "read" if self.action == "retrieve" else "state"

    def _own(self, request: Request, **place: int) -> Response:
        query = parsed(shapes.ConnectionQuery, request.query_params)
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
    error_codes = {"list": _GUILD_ERRORS, "retrieve": (*_GUILD_ERRORS, "UNKNOWN_VOICE_STATE")}

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
    error_codes = _SEEN_ERRORS

    @extend_schema(tags=["voice states"], responses=shapes.VoiceStateObject(many=True))
    def list(self, request: Request, channel_id: int) -> Response:
        """The channel's states, for those who can see it; a call's, for its recipients."""
        return Response(roster.in_channel(caller_id=caller(request), channel_id=channel_id))


class MemberViewSet(ViewSet):
    """Moderation of one member."""

    throttle_scope = "moderation"
    error_codes = (*_GUILD_ERRORS, *_JOIN_ERRORS[2:7], "USER_NOT_IN_VOICE")

    @extend_schema(tags=["moderation"], request=shapes.MemberChange, responses=shapes.MemberObject)
    def partial_update(
        self, request: Request, guild_id: int, user_id: int | None = None
    ) -> Response:
        """Mute, deafen, move, or disconnect with `channel_id: null`."""
        body = parsed(shapes.MemberChange, request.data)
        roster.require_member(user_id=caller(request), guild_id=guild_id)
        order = Order(
            guild_id=guild_id,
            user_id=caller(request) if user_id is None else user_id,
            words={name: body[name] for name in ("mute", "deaf") if name in body},
            channel_id=body.get("channel_id", KEEP),
            connection_id=body.get("connection_id"),
        )
        member = moderation.moderate(order, by=actor(request))
        return Response(shapes.MemberObject(member).data)


class AuditViewSet(ViewSet):
    """What moderators did."""

    throttle_scope = "read"
    error_codes = (*_GUILD_ERRORS, "MISSING_PERMISSIONS")

    @extend_schema(
        tags=["moderation"],
        parameters=[shapes.AuditQuery],
        responses=shapes.AuditObject(many=True),
    )
    def list(self, request: Request, guild_id: int) -> Response:
        """A guild's entries, newest first, for anybody who may mute, deafen or move."""
        query = parsed(shapes.AuditQuery, request.query_params)
        rank.require_moderator(user_id=caller(request), guild_id=guild_id)
        return Response(
            audit.entries(guild_id=guild_id, before=query.get("before"), limit=query["limit"])
        )


class ChannelViewSet(ViewSet):
    """A channel's voice settings."""

    error_codes = {
        "retrieve": _SEEN_ERRORS,
        "partial_update": (*_SEEN_ERRORS, "INVALID_CHANNEL_TYPE", "UNKNOWN_VOICE_REGION"),
        "disconnect": (*_SEEN_ERRORS, "INVALID_CHANNEL_TYPE"),
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
