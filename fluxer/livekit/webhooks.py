"""What LiveKit tells us, believed only when signed by the server it is said to come from."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import jwt
from google.protobuf.json_format import Parse
from livekit.protocol.webhook import WebhookEvent

ALGORITHMS = ["HS256"]
LEEWAY = 60  # seconds, as LiveKit allows us
TOKEN_LIMIT = 8192  # characters


class WebhookError(Exception):
    """A webhook that we do not act on. Its text holds nothing of what was sent."""


class WebhookRejected(WebhookError):
    """It is not from this server, too old, or not what was signed."""


class WebhookUnreadable(WebhookError):
    """It is properly signed, and no event that we could read."""


def verify_webhook(*, body: bytes, authorization: str, key: str, secret: str) -> WebhookEvent:
    """The event in `body`, which is exactly the bytes that were received.

    `authorization` is the header as it came: LiveKit sends the bare JWT.
    Raises WebhookRejected or WebhookUnreadable."""
    claims = _claims(authorization, key=key, secret=secret)
    signed = claims.get("sha256")
    if not isinstance(signed, str) or not signed:
        raise WebhookRejected("The webhook's token says nothing of its body")
    digest = base64.b64encode(hashlib.sha256(body).digest())
    if not hmac.compare_digest(digest, signed.encode("utf-8", "replace")):
        raise WebhookRejected("The webhook's body is not the one that was signed")
    return _event(body)


def webhook_issuer(authorization: str | None) -> str | None:
    """The API key that this token claims to be signed with, or None. Not verified: it only tells
    which secret to verify with."""
    if not authorization or len(authorization) > TOKEN_LIMIT:
        return None
    try:
        claims = jwt.decode(authorization, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    issuer = claims.get("iss")
    # No key of ours has a NUL or half a character in it, and no table can be asked for one.
    return issuer if isinstance(issuer, str) and issuer and issuer.isprintable() else None


def _claims(authorization: str, *, key: str, secret: str) -> dict[str, Any]:
    if not authorization or len(authorization) > TOKEN_LIMIT or not key or not secret:
        raise WebhookRejected("The webhook is not signed")
    try:
        return jwt.decode(
            authorization,
            secret,
            algorithms=ALGORITHMS,
            issuer=key,
            leeway=LEEWAY,
            options={"require": ["exp", "iss"]},
        )
    except jwt.ExpiredSignatureError:
        raise WebhookRejected("The webhook's token has expired") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise WebhookRejected("The webhook is not signed by this server") from None


def _event(body: bytes) -> WebhookEvent:
    try:
        event = Parse(body.decode(), WebhookEvent(), ignore_unknown_fields=True)
    except Exception:  # the parser has no one error: lists, depth and numbers break it differently
        raise WebhookUnreadable("The webhook's body is no event") from None
    if not event.event:
        raise WebhookUnreadable("The webhook's body names no event")
    return event
