"""What the routes have in common: who calls, what they say, which errors they may get."""

from typing import Any
from urllib.parse import unquote

from rest_framework.request import Request
from rest_framework.serializers import Serializer

from fluxer.errors import InvalidFormBody
from voice.audit import Actor

SEEN_ERRORS = ("UNKNOWN_CHANNEL", "UNKNOWN_MEMBER", "MISSING_PERMISSIONS")
GUILD_ERRORS = ("UNKNOWN_GUILD", "UNKNOWN_MEMBER")
JOIN_ERRORS = (
    *SEEN_ERRORS,
    "INVALID_CHANNEL_TYPE",
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_ONE_ON_ONE_VOICE_CALLS",
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS",
    "VOICE_MEMBER_TIMED_OUT",
    "VOICE_CHANNEL_FULL",
    "VOICE_CONNECTION_LIMIT_REACHED",
    "VOICE_CONNECTION_NOT_FOUND",
    "FEATURE_TEMPORARILY_DISABLED",
)


def parsed(kind: type[Serializer], data: Any) -> dict[str, Any]:
    """The valid values of a body or a query; InvalidFormBody otherwise."""
    serializer = kind(data=data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def caller(request: Request) -> int:
    """The id of the user who calls."""
    pk: int = request.user.pk  # type: ignore[assignment]  # a directory user, not Django's
    return pk


def device(request: Request) -> str | None:
    """The session (`sid`) that the caller's token names."""
    claims: Any = request.auth
    session: str | None = claims.session
    return session


def actor(request: Request) -> Actor:
    """The caller as one who moderates, with the reason of X-Audit-Log-Reason."""
    reason = _text(request.headers.get("X-Audit-Log-Reason", ""))
    if len(reason) > 512 or "\x00" in reason:
        raise InvalidFormBody.at(
            "X-Audit-Log-Reason", "INVALID", "A reason has at most 512 characters, and no NUL."
        )
    return Actor("user" if request.user.pk else "service", request.user.pk, reason)


def _text(header: str) -> str:
    """A header's text: percent-encoded, or UTF-8, which WSGI hands on as Latin-1."""
    try:
        return unquote(header.encode("latin-1").decode())
    except UnicodeError:
        return unquote(header)
