"""The routes of moderators: members, and the audit."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from voice import audit, moderation, rank, roster
from voice import serializers as shapes
from voice.orders import KEEP, Order
from voice.viewsets.requests import GUILD_ERRORS, JOIN_ERRORS, actor, caller, parsed


class MemberViewSet(ViewSet):
    """Moderation of one member."""

    throttle_scope = "moderation"
    error_codes = (*GUILD_ERRORS, *JOIN_ERRORS[2:7], "USER_NOT_IN_VOICE")

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
    error_codes = (*GUILD_ERRORS, "MISSING_PERMISSIONS")

    @extend_schema(
        tags=["moderation"],
        parameters=[shapes.AuditQuery],
        responses=shapes.AuditObject(many=True),
    )
    def list(self, request: Request, guild_id: int) -> Response:
        """A guild's entries, newest first, for anybody who may mute, deafen or move."""
        query = parsed(shapes.AuditQuery, request.query_params.dict())
        rank.require_moderator(user_id=caller(request), guild_id=guild_id)
        return Response(
            audit.entries(guild_id=guild_id, before=query.get("before"), limit=query["limit"])
        )
