"""One line per record, for people or as JSON, with what it is about, and never with a secret."""

import json
import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

# The request that all of this is done for; a task carries the one that caused it.
request_id: ContextVar[str] = ContextVar("request_id", default="-")

# What a record may be about: `log.info(…, extra={"channel_id": 5})`.
ABOUT = (
    "guild_id", "channel_id", "user_id", "connection_id", "server", "decision", "reason",
    "actor", "actor_id",
    "method", "path", "status", "ms", "task",
)  # fmt: skip

_SHORTEST_SECRET = 8  # what is shorter would be found in innocent words
_SHAPES = (
    # A JWT, whole or cut off.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 [token]"),
    # user:password@ in an address.
    (re.compile(r"(://)[^/\s@]*:[^/\s@]+@"), r"\1[secret]@"),
    (
        re.compile(
            r"(?i)((?:api_?secret|secret(?:_?key)?|password|passwd|access_token|token|latitude"
            r"|longitude)[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&)}\]\[]+)"
        ),
        r"\1[secret]",
    ),
)


class RequestIdFilter(logging.Filter):
    """Gives every log record the id of the request that it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class LineFormatter(logging.Formatter):
    """For a terminal."""

    def __init__(self) -> None:
        super().__init__(
            "{asctime} {levelname:<7} {name} [{request_id}] {message}",
            style="{",
            defaults={"request_id": "-"},
        )

    def format(self, record: logging.LogRecord) -> str:
        return scrubbed(super().format(record))


class JSONFormatter(logging.Formatter):
    """For a machine: one object a line; a traceback is one of its strings."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrubbed(record.getMessage()),
            "request_id": getattr(record, "request_id", "-"),
        }
        for name in ABOUT:
            value = getattr(record, name, None)
            if value is not None and value != "":
                # As in the API: an id does not fit the numbers of every reader.
                said[name] = str(value) if name.endswith("_id") else _scrubbed_value(value)
        if record.exc_info:
            said["traceback"] = scrubbed(self.formatException(record.exc_info))
        if record.stack_info:
            said["stack"] = scrubbed(record.stack_info)
        return json.dumps(said, ensure_ascii=False, default=str)


def scrubbed(text: str) -> str:
    """The text without our secrets, and without what looks like anybody's: the last defence."""
    for secret in _ours():
        text = text.replace(secret, "[secret]")
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def _scrubbed_value(value: Any) -> Any:
    return scrubbed(value) if isinstance(value, str) else value


def _ours() -> tuple[str, ...]:
    return _known_secrets(
        (
            settings.SECRET_KEY,
            settings.METRICS_TOKEN,
            settings.FLUXER_AUTH_JWT_KEY,
            *settings.FLUXER_SERVICE_TOKEN,
            *settings.FIELD_KEYS,
            settings.DATABASES["default"].get("PASSWORD") or "",
            urlsplit(settings.REDIS_URL).password or "",
            urlsplit(settings.CELERY_BROKER_URL).password or "",
        )
    )


@lru_cache(maxsize=4)
def _known_secrets(given: Iterable[str]) -> tuple[str, ...]:
    """Longest first, so that one that holds another goes whole."""
    return tuple(
        sorted({one for one in given if len(one) >= _SHORTEST_SECRET}, key=len, reverse=True)
    )
