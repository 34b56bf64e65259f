"""What comes in about regions and servers, and what goes out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fluxer.fields import (
    CoordinateField,
    SnowflakeField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
)
from fluxer.service import Page
from regions import addresses, health
from regions.models import Server

SHORTEST_SECRET = 32
GREATEST_LIMIT = 2**31 - 1


class WhereSerializer(serializers.Serializer[Any]):
    """Where somebody is: both coordinates, or neither."""

    latitude = CoordinateField(limit=90, required=False)
    longitude = CoordinateField(limit=180, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for here, there in (("latitude", "longitude"), ("longitude", "latitude")):
            if here in attrs and there not in attrs:
                raise serializers.ValidationError(
                    {there: ["Give both coordinates, or neither."]}, code="required"
                )
        return attrs

    @property
    def near(self) -> tuple[float, float] | None:
        """The coordinates, once validated."""
        values = self.validated_data
        return (values["latitude"], values["longitude"]) if "latitude" in values else None


class ServerIdSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()


class ListedRegionSerializer(serializers.Serializer[Any]):
    """A region as a client's menu shows it."""

    id = serializers.CharField()
    name = serializers.CharField()
    emoji = serializers.CharField(allow_blank=True)
    optimal = serializers.BooleanField(help_text="The nearest, when coordinates were given.")
    deprecated = serializers.BooleanField(help_text="It takes no new rooms.")
    custom = serializers.BooleanField(help_text="It is not open to everybody.")
    is_accessible = serializers.BooleanField(help_text="A room can be made there now.")
    servers = ServerIdSerializer(many=True, help_text="Those that take new rooms.")


class Unique(serializers.ListField):
    """A list without repetitions; null is no list."""

    def to_internal_value(self, data: Any) -> list[Any]:
        return list(dict.fromkeys(super().to_internal_value(data)))


class RestrictedSerializer(serializers.Serializer[Any]):
    """Who may use a place. All empty: everybody."""

    vip_only = StrictBooleanField(default=False)
    required_guild_features = Unique(child=StrictCharField(max_length=64), default=list)
    allowed_guild_ids = Unique(child=SnowflakeField(), default=list)
    allowed_user_ids = Unique(child=SnowflakeField(), default=list)


class RegionSerializer(RestrictedSerializer):
    """A region, as operators describe it."""

    id = serializers.CharField(read_only=True)
    name = StrictCharField(max_length=100)
    emoji = StrictCharField(max_length=32, allow_blank=True, default="")
    latitude = CoordinateField(limit=90, allow_null=True, default=None)
    longitude = CoordinateField(limit=180, allow_null=True, default=None)
    is_default = StrictBooleanField(default=False)


class HealthSerializer(serializers.Serializer[Any]):
    """What the probes saw."""

    state = serializers.ChoiceField(choices=health.STATES)
    since = serializers.DateTimeField(allow_null=True)
    probed_at = serializers.DateTimeField(allow_null=True)
    probe_ms = serializers.FloatField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)


class ServerSerializer(RestrictedSerializer):
    """A server, as operators describe it. The secret goes in and never comes out."""

    id = serializers.CharField(source="slug", read_only=True)
    region_id = serializers.CharField(read_only=True)
    endpoint = StrictCharField(max_length=addresses.LONGEST, help_text="ws:// or wss://")
    api_url = StrictCharField(
        max_length=addresses.LONGEST,
        allow_blank=True,
        allow_null=True,
        default="",
        help_text="http:// or https://; null: the endpoint's.",
    )
    api_key = StrictCharField(max_length=255)
    api_secret = StrictCharField(
        write_only=True,
        required=False,
        min_length=SHORTEST_SECRET,
        max_length=255,
        error_messages={
            "min_length": f"LiveKit wants a secret of at least {SHORTEST_SECRET} characters."
        },
    )
    soft_connection_limit = StrictIntegerField(
        min_value=1, max_value=GREATEST_LIMIT, allow_null=True, default=None
    )
    is_active = StrictBooleanField(default=True)
    is_draining = StrictBooleanField(required=False)
    health = serializers.SerializerMethodField()

    def validate_endpoint(self, value: str) -> str:
        return address(value, schemes=("wss", "ws"))

    def validate_api_url(self, value: str | None) -> str:
        return address(value, schemes=("https", "http")) if value else ""

    @extend_schema_field(HealthSerializer)
    def get_health(self, server: Server) -> dict[str, Any]:
        return HealthSerializer(health.state(server, now=timezone.now())).data

    def to_representation(self, server: Server) -> dict[str, Any]:
        return {**super().to_representation(server), "api_url": server.api_url or None}


def address(url: str, *, schemes: tuple[str, ...]) -> str:
    """The address, if a server may have it; a ValidationError otherwise."""
    try:
        addresses.require(url, schemes=schemes, allowed_hosts=settings.LIVEKIT_ALLOWED_HOSTS)
    except addresses.BadAddress as fault:
        raise serializers.ValidationError(str(fault), code=fault.code) from None
    return url


class SlugPage(Page):
    """`?after=id&limit=`, for ids that are words."""

    after = StrictCharField(required=False, max_length=64)
