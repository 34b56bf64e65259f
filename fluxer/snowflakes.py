"""Snowflakes: decimal strings in JSON and in paths, 64-bit integers in the tables."""

import re
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

GREATEST = 2**63 - 1
PATTERN = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def parse(text: object) -> int | None:
    """The id that `text` spells, or None: no signs, no leading zeros, nothing beyond 64 bits."""
    if not isinstance(text, str) or not PATTERN.fullmatch(text):
        return None
    value = int(text)
    return value if value <= GREATEST else None


class SnowflakeConverter:
    """`<snowflake:user_id>` in a route: a malformed id is a 404."""

    regex = "[0-9]{1,19}"

    def to_python(self, text: str) -> int:
        value = parse(text)
        if value is None:
            raise ValueError(text)
        return value

    def to_url(self, value: int) -> str:
        return str(value)


class SnowflakeKey(models.BigIntegerField):
    """A primary key that the chat product chose; never made by us."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("validators", [MinValueValidator(0), MaxValueValidator(GREATEST)])
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("validators", None)
        return name, path, args, kwargs
