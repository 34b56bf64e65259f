"""The routes of the directory: who exists, as the back end tells it."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from fluxer.authentication import IsService, ServiceAuthentication
from fluxer.directory import batch, channels, guilds, members, roles, users
from fluxer.directory.serializers import (
    ChannelSerializer,
    GuildSerializer,
    MemberSerializer,
    OperationSerializer,
    OutcomeSerializer,
    RoleSerializer,
    UserSerializer,
)
from fluxer.service import ServiceViewSet


class UserViewSet(ServiceViewSet):
    """`/service/users`."""

    noun = users
    serializer_class = UserSerializer
    error_codes = dict.fromkeys(("retrieve", "merge"), ("UNKNOWN_USER",))

    @classmethod
    def rooms(cls, *, action: str, **ids: Any) -> Iterable[int]:
        return users.rooms_of(**ids) if action == "destroy" else ()


class GuildViewSet(ServiceViewSet):
    """`/service/guilds`."""

    noun = guilds
    serializer_class = GuildSerializer
    error_codes = dict.fromkeys(("retrieve", "merge"), ("UNKNOWN_GUILD",))

    @classmethod
    def rooms(cls, *, action: str, **ids: Any) -> Iterable[int]:
        return guilds.rooms_of(**ids) if action == "destroy" else ()


class RoleViewSet(ServiceViewSet):
    """`/service/guilds/{guild_id}/roles`."""

    noun = roles
    serializer_class = RoleSerializer
    error_codes = {
        **dict.fromkeys(("list", "replace", "destroy"), ("UNKNOWN_GUILD",)),
        **dict.fromkeys(("retrieve", "merge"), ("UNKNOWN_GUILD", "UNKNOWN_ROLE")),
    }

    @classmethod
    def rooms(cls, *, action: str, **ids: Any) -> Iterable[int]:
        return roles.rooms_of(**ids) if action == "destroy" else ()


class MemberViewSet(ServiceViewSet):
    """`/service/guilds/{guild_id}/members`."""

    noun = members
    key = "user_id"
    serializer_class = MemberSerializer
    error_codes = {
        **dict.fromkeys(("list", "destroy"), ("UNKNOWN_GUILD",)),
        **dict.fromkeys(("retrieve", "merge"), ("UNKNOWN_GUILD", "UNKNOWN_MEMBER")),
        "replace": ("UNKNOWN_GUILD", "UNKNOWN_USER"),
    }

    @classmethod
    def rooms(cls, *, action: str, **ids: Any) -> Iterable[int]:
        return members.rooms_of(**ids) if action == "destroy" else ()


class ChannelViewSet(ServiceViewSet):
    """`/service/channels`."""

    noun = channels
    serializer_class = ChannelSerializer
    error_codes = dict.fromkeys(("retrieve", "merge"), ("UNKNOWN_CHANNEL",))

    @classmethod
    def rooms(cls, *, action: str, **ids: Any) -> Iterable[int]:
        return ids.values()


class BatchViewSet(GenericViewSet[Any]):
    """`/service/batch`."""

    authentication_classes = (ServiceAuthentication,)
    permission_classes = (IsService,)
    throttle_classes = ()
    body_limit = 1024 * 1024

    @extend_schema(
        request=OperationSerializer(many=True), responses={200: OutcomeSerializer(many=True)}
    )
    def create(self, request: Request) -> Response:
        wish: serializers.ListSerializer[Any] = serializers.ListSerializer(
            data=request.data, child=OperationSerializer(), max_length=batch.MOST
        )
        wish.is_valid(raise_exception=True)
        return Response(batch.perform(operations=wish.validated_data, request=request))
