"""The stage of the region tests: places on a map, and how the back end and people call."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.test import Client

from regions.models import Region, Server
from tests.voice.scene import bearer

SECRET = "a-secret-of-at-least-32-characters!"
MACHINE = {
    "endpoint": "wss://voice.example.org",
    "api_url": "https://voice-api.example.org:7443",
    "api_key": "key-1",
    "api_secret": SECRET,
}


class Back:
    """The chat product's back end."""

    def __init__(self) -> None:
        self._client = Client(
            raise_request_exception=False,
            headers={"Authorization": f"Bearer {settings.FLUXER_SERVICE_TOKEN[0]}"},
        )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self._client.generic(
            method, f"/service/{path}", _json(body), content_type="application/json"
        )

    def put(self, path: str, **body: Any) -> Any:
        return self.call("PUT", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        return self.call("PATCH", path, body)

    def post(self, path: str) -> Any:
        return self.call("POST", path, {})

    def get(self, path: str) -> Any:
        return self._client.get(f"/service/{path}")

    def delete(self, path: str) -> Any:
        return self._client.delete(f"/service/{path}")


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def menu(path: str, user_id: int) -> Any:
    """What somebody sees at one of the menus."""
    return Client(raise_request_exception=False, headers={"Authorization": bearer(user_id)}).get(
        path
    )


def faults(response: Any) -> dict[str, str]:
    """Path and code of what INVALID_FORM_BODY complains of."""
    body = response.json()
    assert (response.status_code, body["code"]) == (400, "INVALID_FORM_BODY"), body
    return {fault["path"]: fault["code"] for fault in body["errors"]}


def region(pk: str, **fields: Any) -> Region:
    return Region.objects.create(pk=pk, **{"name": pk.title(), **fields})


def server(region_id: str, slug: str = "a", **fields: Any) -> Server:
    return Server.objects.create(region_id=region_id, slug=slug, **{**MACHINE, **fields})
