"""What clients send and get, in JSON."""

from typing import Any

from rest_framework import serializers

from fluxer.directory.models import LIMITS
from fluxer.fields import (
    CoordinateField,
    SnowflakeField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
)


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


def connection_field() -> StrictCharField:
    return StrictCharField(required=False, max_length=64)


class ConnectionQuery(serializers.Serializer):
    """`?connection_id=`."""

    connection_id = connection_field()


class StateChange(serializers.Serializer):
    """`PATCH …/voice-states/@me`. `mute`, `deaf` and `suppress` are read-only, and ignored."""

    channel_id = SnowflakeField(required=False, allow_null=True, help_text="null leaves")
    self_mute = StrictBooleanField(required=False)
    self_deaf = StrictBooleanField(required=False)
    self_video = StrictBooleanField(required=False)
    self_stream = StrictBooleanField(required=False)
    connection_id = connection_field()


class VoiceStateObject(serializers.Serializer):
    """A voice state."""

    user_id = SnowflakeField()
    guild_id = SnowflakeField(allow_null=True)
    channel_id = SnowflakeField(allow_null=True)
    session_id = serializers.CharField(allow_null=True)
    self_mute = serializers.BooleanField()
    self_deaf = serializers.BooleanField()
    self_video = serializers.BooleanField()
    self_stream = serializers.BooleanField()
    mute = serializers.BooleanField(help_text="Muted by a moderator.")
    deaf = serializers.BooleanField(help_text="Deafened by a moderator.")
    suppress = serializers.BooleanField(help_text="May not SPEAK here.")
    connection_id = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(help_text="Rises with every visible change.")
    joined_at = serializers.DateTimeField(allow_null=True, help_text="null: a reserved seat.")


class MemberChange(serializers.Serializer):
    """`PATCH /guilds/{guild_id}/members/{user_id}`."""

    mute = StrictBooleanField(required=False)
    deaf = StrictBooleanField(required=False)
    channel_id = SnowflakeField(required=False, allow_null=True, help_text="null disconnects")
    connection_id = connection_field()


class MemberObject(serializers.Serializer):
    """A member of a guild."""

    user_id = SnowflakeField()
    guild_id = SnowflakeField()
    nick = serializers.CharField()
    role_ids = serializers.ListField(child=SnowflakeField())
    mute = serializers.BooleanField()
    deaf = serializers.BooleanField()
    timed_out_until = serializers.DateTimeField(allow_null=True)


class AuditQuery(serializers.Serializer):
    """`?before=id&limit=`."""

    before = SnowflakeField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=100, default=100)


class AuditObject(serializers.Serializer):
    """One thing that a moderator did."""

    id = serializers.CharField()
    actor_id = SnowflakeField(allow_null=True, help_text="null: the back end or staff")
    action = serializers.CharField()
    target_id = SnowflakeField(allow_null=True)
    channel_id = SnowflakeField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


class Disconnected(serializers.Serializer):
    """How many connections ended."""

    success = serializers.BooleanField()
    disconnected_count = serializers.IntegerField()


def _limit(name: str) -> StrictIntegerField:
    least, most = LIMITS[name]
    return StrictIntegerField(required=False, min_value=least, max_value=most)


class ChannelChange(serializers.Serializer):
    """`PATCH /channels/{channel_id}`."""

    rtc_region = StrictCharField(
        required=False, allow_null=True, max_length=64, help_text="null: automatic"
    )
    bitrate = _limit("bitrate")
    user_limit = _limit("user_limit")
    voice_connection_limit = _limit("voice_connection_limit")


class ChannelObject(serializers.Serializer):
    """A channel's voice settings."""

    id = SnowflakeField()
    type = serializers.IntegerField()
    guild_id = SnowflakeField(allow_null=True)
    name = serializers.CharField()
    bitrate = serializers.IntegerField()
    user_limit = serializers.IntegerField()
    voice_connection_limit = serializers.IntegerField()
    rtc_region = serializers.CharField(allow_null=True)
