"""Serializer fields that take JSON at its word: `1` is no boolean, `5` is no string."""

import re
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fluxer import snowflakes


@extend_schema_field(OpenApiTypes.BOOL)
class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`, nothing that looks like them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictCharField(serializers.CharField):
    """A JSON string, without NUL and without lone surrogates (PostgreSQL takes neither)."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or any("\ud800" <= c <= "\udfff" for c in data):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(
    {"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$", "example": "123456789"}
)
class SnowflakeField(serializers.Field):
    """An id: a decimal string outside, an integer inside."""

    default_error_messages = {"invalid": "An id is a decimal string of at most 64 bits."}

    def to_internal_value(self, data: Any) -> int:
        value = snowflakes.parse(data)
        if value is None:
            self.fail("invalid")
        return value

    def to_representation(self, value: Any) -> str:
        return str(value)


class MaskField(SnowflakeField):
    """A permission mask: a decimal string outside (bit 53 does not fit a JavaScript number)."""

    default_error_messages = {"invalid": "A mask is a decimal string of at most 63 bits."}


_COORDINATE = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)


@extend_schema_field(
    {"oneOf": [{"type": "string"}, {"type": "number"}], "example": "37.7749"},
)
class CoordinateField(serializers.Field):
    """Degrees, as a string or a number; finite and within ±`limit`."""

    default_error_messages = {
        "invalid": "A coordinate is a finite number, or a string of one.",
        "out_of_range": "A coordinate of this kind lies between -{limit} and {limit} degrees.",
    }

    def __init__(self, *, limit: int, **kwargs: Any) -> None:
        self.limit = limit
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            self.fail("invalid")
        if isinstance(data, str) and not (len(data) <= 64 and _COORDINATE.fullmatch(data)):
            self.fail("invalid")
        try:
            value = float(data)
        except OverflowError:
            self.fail("invalid")
        if value != value or abs(value) == float("inf"):
            self.fail("invalid")
        if abs(value) > self.limit:
            self.fail("out_of_range", limit=self.limit)
        return value

    def to_representation(self, value: Any) -> Any:
        return value
