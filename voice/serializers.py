"""What clients send and get, in JSON."""

from typing import Any

from rest_framework import serializers

from fluxer.fields import CoordinateField, SnowflakeField, StrictCharField


class TokenRequest(serializers.Serializer):
    """`POST /channels/{channel_id}/voice/token`."""

    channel_id = SnowflakeField(required=False)
    guild_id = SnowflakeField(required=False, allow_null=True, default=None)
    region = StrictCharField(required=False, allow_null=True, default=None, max_length=64)
    latitude = CoordinateField(limit=90, required=False, allow_null=True, default=None)
    longitude = CoordinateField(limit=180, required=False, allow_null=True, default=None)
    connection_id = StrictCharField(required=False, allow_null=True, default=None, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        alone = {"latitude": attrs["latitude"], "longitude": attrs["longitude"]}
        missing = [name for name, value in alone.items() if value is None]
        if len(missing) == 1:
            message = "Give latitude and longitude, or neither."
            raise serializers.ValidationError({missing[0]: [message]}, code="required")
        return attrs


class TokenGrant(serializers.Serializer):
    """A token, and where to use it."""

    token = serializers.CharField(help_text="LiveKit access token (JWT).")
    endpoint = serializers.CharField(help_text="WebSocket URL of the LiveKit server.")
    connection_id = serializers.CharField()
    token_nonce = serializers.UUIDField()
