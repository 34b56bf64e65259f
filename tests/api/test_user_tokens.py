"""A user's token lets its user in, and nothing else does."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from fluxer.authentication import Claims
from fluxer.directory.models import User
from tests.api.conftest import ALICE

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]
Bearer = Callable[..., dict[str, str]]
HERE = "/test/whoami"


def _segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def assert_unauthorized(response: Any) -> None:
    assert response.status_code == 401, response.content
    assert response.json()["code"] == "UNAUTHORIZED"
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_good_token_costs_one_statement(
    as_alice: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        response = as_alice.get(HERE)
    assert response.status_code == 200
    assert response.json() == {"user": str(ALICE), "session": None}
    assert not response.cookies


def test_the_session_is_the_device(alice: User, client: Client, bearer: Bearer) -> None:
    response = client.get(HERE, headers=bearer(sid="s" * 64))
    assert response.json()["session"] == "s" * 64


def test_claims_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Claims(user_id=1).session = "other"  # type: ignore[misc]


def test_nobody_without_a_token(client: Client) -> None:
    assert_unauthorized(client.get(HERE))


@pytest.mark.parametrize(
    "other",
    [
        {"exp": None},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": 1e999},
        {"exp": [1]},
        {"sub": None},
        {"sub": ALICE},
        {"sub": f"0{ALICE}"},
        {"sub": f"-{ALICE}"},
        {"sub": f" {ALICE}"},
        {"sub": ""},
        {"sub": str(2**63)},
        {"sub": "9" * 4000},
        {"sub": "alice"},
        {"sub": "٤١٠١"},
        {"sid": ""},
        {"sid": "s" * 65},
        {"sid": "a\0b"},
        {"sid": "a\nb"},
        {"sid": 7},
        {"nbf": 99999999999},
    ],
    ids=repr,
)
def test_a_token_of_the_wrong_form(
    alice: User, client: Client, bearer: Bearer, other: dict[str, Any]
) -> None:
    assert_unauthorized(client.get(HERE, headers=bearer(**other)))


def test_a_token_ends_on_the_second(alice: User, client: Client, bearer: Bearer) -> None:
    assert_unauthorized(client.get(HERE, headers=bearer(exp=int(time.time()))))


@pytest.mark.parametrize(
    "other",
    [{"iat": 99999999999}, {"iat": "x"}, {"aud": "somebody"}, {"iss": "somebody"}, {"sid": None}],
    ids=repr,
)
def test_what_is_not_looked_at(
    alice: User, client: Client, bearer: Bearer, other: dict[str, Any]
) -> None:
    assert client.get(HERE, headers=bearer(**other)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer é.é.é",
        "Basic YWxpY2U6YWxpY2U=",
        "Token abc",
        f"Bearer {'a' * 9000}",
        f"Bearer {_segment({'alg': 'HS256'})}.{_segment([])}.x",
    ],
    ids=lambda header: header[:20],
)
def test_a_header_that_is_no_bearer_token(alice: User, client: Client, header: str) -> None:
    assert_unauthorized(client.get(HERE, headers={"Authorization": header}))


def test_a_large_token_is_refused_before_it_is_read(
    alice: User, client: Client, bearer: Bearer
) -> None:
    assert_unauthorized(client.get(HERE, headers=bearer(padding="x" * 8192)))


def test_no_algorithm(alice: User, client: Client, claims: dict[str, Any]) -> None:
    for name in ("none", "None", "NONE"):
        token = f"{_segment({'alg': name, 'typ': 'JWT'})}.{_segment(claims)}."
        assert_unauthorized(client.get(HERE, headers={"Authorization": f"Bearer {token}"}))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm(
    alice: User, client: Client, claims: dict[str, Any], settings: Settings, algorithm: str
) -> None:
    settings.FLUXER_AUTH_JWT_KEY = "k" * 64
    token = jwt.encode(claims, "k" * 64, algorithm)
    assert_unauthorized(client.get(HERE, headers={"Authorization": f"Bearer {token}"}))


def test_another_key(alice: User, client: Client, claims: dict[str, Any]) -> None:
    token = jwt.encode(claims, "another key of more than 32 bytes", "HS256")
    assert_unauthorized(client.get(HERE, headers={"Authorization": f"Bearer {token}"}))


def test_an_altered_token(alice: User, client: Client, bearer: Bearer) -> None:
    head, _, signature = bearer()["Authorization"].removeprefix("Bearer ").split(".")
    body = _segment({"sub": "1", "exp": 99999999999})
    token = f"{head}.{body}.{signature}"
    assert_unauthorized(client.get(HERE, headers={"Authorization": f"Bearer {token}"}))


def test_a_header_nested_without_end(alice: User, client: Client) -> None:
    head = base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode()
    assert_unauthorized(client.get(HERE, headers={"Authorization": f"Bearer {head}.e30.x"}))


def test_a_user_nobody_told_us_about(client: Client, bearer: Bearer) -> None:
    response = client.get(HERE, headers=bearer(sub="77"))
    assert response.status_code == 404
    assert response.json()["code"] == "UNKNOWN_USER"


def test_issuer_and_audience_when_configured(
    alice: User, client: Client, bearer: Bearer, settings: Settings
) -> None:
    settings.FLUXER_AUTH_ISSUER = "https://id.example.org"
    settings.FLUXER_AUTH_AUDIENCE = "voice"
    right = {"iss": "https://id.example.org", "aud": ["chat", "voice"]}
    assert client.get(HERE, headers=bearer(**right)).status_code == 200
    for wrong in ({"iss": "https://evil.example"}, {"iss": None}, {"aud": "chat"}, {"aud": None}):
        assert_unauthorized(client.get(HERE, headers=bearer(**(right | wrong))))


@pytest.mark.parametrize(("key", "url"), [("", ""), ("k" * 64, "http://127.0.0.1:9/jwks")])
def test_closed_unless_exactly_one_source_is_configured(
    alice: User, client: Client, bearer: Bearer, settings: Settings, key: str, url: str
) -> None:
    headers = bearer()
    settings.FLUXER_AUTH_JWT_KEY, settings.FLUXER_AUTH_JWKS_URL = key, url
    assert_unauthorized(client.get(HERE, headers=headers))


def test_a_service_token_is_no_user(alice: User, client: Client) -> None:
    token = settings.FLUXER_SERVICE_TOKEN[0]
    assert_unauthorized(client.get(HERE, headers={"Authorization": f"Bearer {token}"}))
