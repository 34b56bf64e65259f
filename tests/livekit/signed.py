"""One webhook on the wire, signed as LiveKit signs it, and the ways to hand it over."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from google.protobuf.json_format import MessageToDict
from livekit.protocol.webhook import WebhookEvent

CONTENT_TYPE = "application/webhook+json"
TOKEN_LIFE = 300  # seconds

Target = Callable[[bytes, dict[str, str]], int]


@dataclass
class Webhook:
    """One event, ready to be sent; `statuses` grows with each delivery."""

    event: WebhookEvent
    body: bytes
    headers: dict[str, str]
    statuses: list[int] = field(default_factory=list)


def sign(body: bytes, *, key: str, secret: str, life: float = TOKEN_LIFE) -> str:
    now = int(time.time())
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": key, "nbf": int(now + min(0, life)), "exp": int(now + life), "sha256": digest}
    return jwt.encode(claims, secret, algorithm="HS256")


def encode(event: WebhookEvent) -> bytes:
    """Zero values left out, 64-bit integers as strings, enums by name, keys in camelCase."""
    return json.dumps(MessageToDict(event), separators=(",", ":")).encode()


def post_to(url: str, *, timeout: float = 10) -> Target:
    def post(body: bytes, headers: dict[str, str]) -> int:
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    return post


def call_django(client: Any, path: str) -> Target:
    """Through Django's test client, as the bytes and headers that came over the wire."""

    def post(body: bytes, headers: dict[str, str]) -> int:
        rest = {name: value for name, value in headers.items() if name != "Content-Type"}
        answer = client.post(path, data=body, content_type=headers["Content-Type"], headers=rest)
        return int(answer.status_code)

    return post
