"""LiveKit's tokens as LiveKit reads them, and as tests make them."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from livekit.protocol.models import ParticipantPermission, TrackSource

LEEWAY = 60  # seconds that LiveKit forgives on exp and nbf
REFRESHED_LIFE = 600  # seconds that a token lives which LiveKit hands out itself

SOURCES = {
    "camera": TrackSource.CAMERA,
    "microphone": TrackSource.MICROPHONE,
    "screen_share": TrackSource.SCREEN_SHARE,
    "screen_share_audio": TrackSource.SCREEN_SHARE_AUDIO,
}
STRINGS = ("name", "kind", "metadata", "sha256")


class BadToken(Exception):
    """LiveKit would answer this token with 401."""


def read_token(token: str, *, key: str, secret: str) -> dict[str, Any]:
    """The claims, if LiveKit takes the token. It asks for no exp; it does refuse a claim of the
    wrong type, `metadata` that is an object above all."""
    try:
        claims = jwt.decode(token, secret, algorithms=["HS256"], issuer=key, leeway=LEEWAY)
    except jwt.PyJWTError as error:
        raise BadToken(f"invalid token: {error}") from error
    if any(not isinstance(claims.get(name, ""), str) for name in STRINGS):
        raise BadToken("invalid token: a claim is not a string")
    if not isinstance(claims.get("video", {}), dict):
        raise BadToken("invalid token: video is not an object")
    sources = claims.get("video", {}).get("canPublishSources", [])
    if not all(isinstance(source, str) for source in sources):
        raise BadToken("invalid token: a source is not a string")
    return claims


def permission_of(video: dict[str, Any]) -> ParticipantPermission:
    """What a join with this grant may do. No sources, with canPublish, means all of them."""
    publish = video.get("canPublish", True)
    return ParticipantPermission(
        can_publish=publish,
        can_publish_data=video.get("canPublishData", publish),
        can_subscribe=video.get("canSubscribe", True),
        can_publish_sources=[
            SOURCES.get(source, TrackSource.UNKNOWN)
            for source in video.get("canPublishSources", [])
        ],
        can_update_metadata=video.get("canUpdateOwnMetadata", False),
        hidden=video.get("hidden", False),
        recorder=video.get("recorder", False),
        can_subscribe_metrics=video.get("canSubscribeMetrics", False),
    )


def grant_of(permission: ParticipantPermission, *, room: str) -> dict[str, Any]:
    """The grant that LiveKit puts into the tokens it hands out itself."""
    words = {number: word for word, number in SOURCES.items()}
    return {
        "room": room,
        "roomJoin": True,
        "canPublish": permission.can_publish,
        "canPublishData": permission.can_publish_data,
        "canSubscribe": permission.can_subscribe,
        "canPublishSources": [words[source] for source in permission.can_publish_sources],
        "canUpdateOwnMetadata": permission.can_update_metadata,
        "hidden": permission.hidden,
        "recorder": permission.recorder,
    }


def may_publish(permission: ParticipantPermission, source: int) -> bool:
    sources = permission.can_publish_sources
    return bool(permission.can_publish and (not sources or source in sources))


def make_token(
    *,
    key: str,
    secret: str,
    room: str,
    identity: str,
    ttl: float = 60,
    metadata: Any = None,
    **grant: Any,
) -> str:
    """A token of a test's own making; `grant` overrides and adds to the video grant."""
    now = time.time()
    claims: dict[str, Any] = {
        "iss": key,
        "sub": identity,
        "name": identity,
        "nbf": int(now - max(0, -ttl)),
        "exp": int(now + ttl),
        "video": {"room": room, "roomJoin": True, **grant},
    }
    if metadata is not None:
        claims["metadata"] = metadata
    return jwt.encode(claims, secret, algorithm="HS256")


def as_metadata(**facts: Any) -> str:
    return json.dumps(facts)
