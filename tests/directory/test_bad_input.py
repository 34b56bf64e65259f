"""Ids, bodies and bytes that nobody should send: the right error each, and nothing written."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from fluxer.directory.models import Channel, Guild, Member, Role, User
from tests.directory.cast import GUILD, VOICE, BackEnd, fault, refused

ROUTES = [
    "users/{}",
    "guilds/{}",
    f"guilds/{GUILD}/roles/{{}}",
    f"guilds/{GUILD}/members/{{}}",
    "guilds/{}/members/1",
    "channels/{}",
]
BODIES = ["users/9", "guilds/9", f"guilds/{GUILD}/roles/9", f"guilds/{GUILD}/members/3",
          f"channels/{VOICE}"]  # fmt: skip


def written() -> list[Any]:
    """All there is."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (User, Guild, Role, Member, Channel)
    ]


@pytest.fixture
def untouched(backend: BackEnd) -> Any:
    before = written()
    yield backend
    assert written() == before


def send(path: str, data: Any, content_type: str = "application/json") -> Any:
    """Put these bytes there; a batch is posted."""
    token = settings.FLUXER_SERVICE_TOKEN[0]
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})
    method = client.post if path == "batch" else client.put
    return method(f"/service/{path}", data, content_type=content_type)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "pk", ["01", "-1", "+1", str(2**63), "9" * 40, "1.0", "true", "1e3", "٣", "%00", "x", "1%20"]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_malformed_id_in_a_path_is_not_found(
    untouched: BackEnd, route: str, pk: str, method: str
) -> None:
    answer = untouched.call(method, route.format(pk), {} if method == "PUT" else None)
    assert fault(answer)[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", [[], "x", 1, True, None, [{}]])
def test_a_body_that_is_no_object_is_refused(untouched: BackEnd, path: str, body: Any) -> None:
    answer = send(path, json.dumps(body))
    assert fault(answer) == refused("", "INVALID" if body is not None else "NULL")


@pytest.mark.parametrize("path", [*BODIES, "batch"])
@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"[" * 60000,
        b'{"a":' * 10000 + b"1" + b"}" * 10000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_refused(untouched: BackEnd, path: str, raw: bytes) -> None:
    answer = send(path, raw)
    assert answer.status_code == 400
    assert answer.json()["code"] == "INVALID_FORM_BODY"


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("depth", [10, 100, 400, 700, 900, 950, 980])
def test_deep_json_does_no_harm_wherever_it_is(backend: BackEnd, path: str, depth: int) -> None:
    deep: bytes = b"[" * depth + b"]" * depth
    for name in (
        "username", "is_bot", "name", "owner_id", "features", "permissions", "position",
        "role_ids", "timed_out_until", "type", "recipient_ids", "overwrites", "user_limit",
    ):  # fmt: skip
        answer = send(path, b'{"%s": %s}' % (name.encode(), deep))
        # A route without such a field ignores it; it may still lack another.
        assert answer.status_code in (200, 201, 400), answer.content


@pytest.mark.parametrize("path", BODIES)
def test_a_body_over_64_kib_is_too_large(untouched: BackEnd, path: str) -> None:
    answer = send(path, json.dumps({"name": "x" * 65536}))
    assert fault(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_another_content_type_is_refused(untouched: BackEnd, path: str, content_type: str) -> None:
    answer = send(path, b"username=x", content_type)
    assert fault(answer)[:2] == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("path", ["users", "users/1", f"guilds/{GUILD}", "channels", "batch"])
def test_only_the_back_end_comes_in(untouched: BackEnd, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer " + "x" * 40}):
        answer = Client(headers=headers).get(f"/service/{path}")
        assert fault(answer)[:2] == (401, "UNAUTHORIZED")
        assert answer["WWW-Authenticate"] == "Bearer"
