"""The routes of regions: menus for users, and the registry for the back end."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fluxer.directory.access import require_visible
from fluxer.directory.models import User
from fluxer.service import ServiceViewSet
from regions import access, catalog, regions, servers
from regions.listing import listing
from regions.places import Caller
from regions.selection import room_hash
from regions.serializers import (
    ListedRegionSerializer,
    RegionSerializer,
    ServerSerializer,
    SlugPage,
    WhereSerializer,
)


class RegionMenu(APIView):
    """The regions open to somebody, sorted by name."""

    throttle_scope = "read"

    @property
    def user_id(self) -> int:
        """Who asks."""
        return cast("User", self.request.user).pk

    def answer(self, request: Request, caller: Caller, room: int = 0) -> Response:
        """The menu for this caller, from where they say they are."""
        where = WhereSerializer(data=request.query_params.dict())
        where.is_valid(raise_exception=True)
        return Response(listing(catalog.load(), caller=caller, near=where.near, room=room))


_menu = extend_schema(
    parameters=[WhereSerializer], responses={200: ListedRegionSerializer(many=True)}
)


class VoiceRegionsView(RegionMenu):
    """`GET /voice/regions`."""

    @_menu
    def get(self, request: Request) -> Response:
        return self.answer(request, Caller(self.user_id))


class GuildRegionsView(RegionMenu):
    """`GET /guilds/{guild_id}/regions`, for members."""

    error_codes = ("UNKNOWN_GUILD", "UNKNOWN_MEMBER")

    @_menu
    def get(self, request: Request, guild_id: int) -> Response:
        guild = access.guild_of_member(user_id=self.user_id, guild_id=guild_id)
        return self.answer(request, Caller(self.user_id, guild.pk, guild.features))


class ChannelRegionsView(RegionMenu):
    """`GET /channels/{channel_id}/rtc-regions`, for those who can see the channel."""

    error_codes = ("UNKNOWN_CHANNEL", "UNKNOWN_MEMBER", "MISSING_PERMISSIONS")

    @_menu
    def get(self, request: Request, channel_id: int) -> Response:
        seen = require_visible(user_id=self.user_id, channel_id=channel_id)
        caller = Caller(seen.user_id, seen.guild_id, seen.features or ())
        room = room_hash(guild_id=seen.guild_id, channel_id=channel_id)
        return self.answer(request, caller, room)


class RegionViewSet(ServiceViewSet):
    """`/service/regions`."""

    noun = regions
    serializer_class = RegionSerializer
    page = SlugPage
    error_codes = {
        "retrieve": ("UNKNOWN_VOICE_REGION",),
        "merge": ("UNKNOWN_VOICE_REGION",),
    }


class ServerViewSet(ServiceViewSet):
    """`/service/regions/{region_id}/servers`."""

    noun = servers
    key = "slug"
    in_batch = ServiceViewSet.in_batch | {"drain", "restore"}
    serializer_class = ServerSerializer
    page = SlugPage
    error_codes = {
        "list": ("UNKNOWN_VOICE_REGION",),
        "replace": ("UNKNOWN_VOICE_REGION",),
        "destroy": ("UNKNOWN_VOICE_REGION",),
        **dict.fromkeys(
            ("retrieve", "merge", "drain", "restore", "probe"),
            ("UNKNOWN_VOICE_REGION", "UNKNOWN_VOICE_SERVER"),
        ),
    }

    @extend_schema(request=None, responses={200: ServerSerializer})
    def drain(self, request: Request, **ids: Any) -> Response:
        return self._one(servers.drain(**ids))

    @extend_schema(request=None, responses={200: ServerSerializer})
    def restore(self, request: Request, **ids: Any) -> Response:
        return self._one(servers.restore(**ids))

    @extend_schema(request=None, responses={200: ServerSerializer})
    def probe(self, request: Request, **ids: Any) -> Response:
        return self._one(servers.probe(**ids))

    def _one(self, server: Any) -> Response:
        return Response(self.get_serializer(server).data)
