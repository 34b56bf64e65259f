"""The directory in JSON. A default is what a PUT without the field writes; see ServiceViewSet."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fluxer.directory.models import LIMITS, ChannelType
from fluxer.directory.permissions import MEMBER, ROLE
from fluxer.fields import (
    MaskField,
    SnowflakeField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
)

SMALLEST, GREATEST = -(2**31), 2**31 - 1  # of PostgreSQL's integer


class OptionalNameField(StrictCharField):
    """A name that may be empty; null is empty too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, default="", **kwargs)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values("" if data is None else data)


class StrictDateTimeField(serializers.DateTimeField):
    """ISO 8601 with an offset: a time without one could be anybody's."""

    default_error_messages = {"no_offset": "A time needs an offset: end it with Z or +01:00."}

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or len(value) > 64:
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z]")
        return super().to_internal_value(value)

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("no_offset")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")


class OneOfField(StrictIntegerField):
    """One of a few numbers."""

    default_error_messages = {"unknown": "This is none of {known}."}

    def __init__(self, *known: int, **kwargs: Any) -> None:
        self.known = [int(value) for value in known]
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        value = super().to_internal_value(data)
        if value not in self.known:
            self.fail("unknown", known=", ".join(str(each) for each in self.known))
        return value


@extend_schema_field({"type": "integer", "enum": [int(kind) for kind in ChannelType]})
class ChannelTypeField(OneOfField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(*ChannelType, **kwargs)


@extend_schema_field({"type": "integer", "enum": [ROLE, MEMBER]})
class OverwriteTypeField(OneOfField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ROLE, MEMBER, **kwargs)


def _limit(name: str) -> StrictIntegerField:
    least, most = LIMITS[name]
    return StrictIntegerField(min_value=least, max_value=most, required=False)


class UserSerializer(serializers.Serializer[Any]):
    id = SnowflakeField(read_only=True)
    username = StrictCharField(max_length=64)
    display_name = OptionalNameField(max_length=64)
    is_claimed = StrictBooleanField(default=True)
    is_bot = StrictBooleanField(default=False)


class GuildSerializer(serializers.Serializer[Any]):
    id = SnowflakeField(read_only=True)
    name = StrictCharField(max_length=100)
    owner_id = SnowflakeField()
    features = serializers.ListField(
        child=StrictCharField(max_length=64), max_length=200, default=list
    )


class RoleSerializer(serializers.Serializer[Any]):
    id = SnowflakeField(read_only=True)
    guild_id = SnowflakeField(read_only=True)
    name = StrictCharField(max_length=100, required=False)
    permissions = MaskField(required=False)
    position = StrictIntegerField(min_value=SMALLEST, max_value=GREATEST, default=0)


class MemberSerializer(serializers.Serializer[Any]):
    """Mute and deaf are voice's to decide: a PUT without them keeps them."""

    user_id = SnowflakeField(read_only=True)
    guild_id = SnowflakeField(read_only=True)
    role_ids = serializers.ListField(child=SnowflakeField(), default=list)
    nick = OptionalNameField(max_length=64)
    mute = StrictBooleanField(required=False)
    deaf = StrictBooleanField(required=False)
    timed_out_until = StrictDateTimeField(allow_null=True, default=None)


class OverwriteSerializer(serializers.Serializer[Any]):
    id = SnowflakeField()
    type = OverwriteTypeField()
    allow = MaskField(default=0)
    deny = MaskField(default=0)


@extend_schema_field(OverwriteSerializer(many=True))
class OverwritesField(serializers.Field[Any, Any, Any, Any]):
    """A list of overwrites, each of them whole, even where a PATCH names nothing else."""

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        overwrites = OverwriteSerializer(data=data, many=True)
        overwrites.is_valid(raise_exception=True)
        return list(overwrites.validated_data)

    def to_representation(self, value: Any) -> Any:
        return value


class ChannelSerializer(serializers.Serializer[Any]):
    """Type and place are fixed at creation; limits and region are voice's to decide after it."""

    id = SnowflakeField(read_only=True)
    type = ChannelTypeField(required=False)
    guild_id = SnowflakeField(required=False, allow_null=True)
    recipient_ids = serializers.ListField(child=SnowflakeField(), required=False)
    name = OptionalNameField(max_length=100)
    bitrate = _limit("bitrate")
    user_limit = _limit("user_limit")
    voice_connection_limit = _limit("voice_connection_limit")
    rtc_region = StrictCharField(max_length=64, required=False, allow_null=True)
    overwrites = OverwritesField(default=list)


class OperationSerializer(serializers.Serializer[Any]):
    """One element of a batch."""

    method = serializers.ChoiceField(["PUT", "PATCH", "POST", "DELETE"])
    path = StrictCharField(max_length=512, trim_whitespace=False)
    body = serializers.DictField(required=False)


class OutcomeSerializer(serializers.Serializer[Any]):
    status = serializers.IntegerField()
