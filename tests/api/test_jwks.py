"""Users' tokens signed by an identity provider: its keys change, and it is not always there."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from fluxer import jwks
from fluxer.directory.models import User
from fluxer.errors import ServiceUnavailable
from tests.api.provider import EC, ED, RSA, SHORT_RSA, Provider, jwk, public_pem, signed

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]
Claims = dict[str, Any]


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    with Provider(jwk(RSA, "r1"), jwk(EC, "e1"), jwk(ED, "d1")) as provider:
        settings.FLUXER_AUTH_JWT_KEY = ""
        settings.FLUXER_AUTH_JWKS_URL = provider.url
        yield provider


def status(client: Client, headers: dict[str, str]) -> int:
    return client.get("/test/whoami", headers=headers).status_code


def test_the_three_kinds_of_keys_are_read_once(
    alice: User, client: Client, claims: Claims, provider: Provider
) -> None:
    for key, algorithm, kid in ((RSA, "RS256", "r1"), (EC, "ES256", "e1"), (ED, "EdDSA", "d1")):
        assert status(client, signed(claims, key, algorithm, kid=kid)) == 200
    assert provider.asked == 1


def test_the_public_key_is_no_shared_secret(
    alice: User, client: Client, claims: Claims, provider: Provider
) -> None:
    def segment(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    said = segment({"alg": "HS256", "kid": "r1"}) + b"." + segment(claims)
    mac = hmac.new(public_pem(RSA), said, hashlib.sha256).digest()
    token = said + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")
    assert status(client, {"Authorization": f"Bearer {token.decode()}"}) == 401


@pytest.mark.parametrize(
    ("key", "algorithm", "header"),
    [
        (RSA, "RS512", {"kid": "r1"}),
        (RSA, "PS256", {"kid": "r1"}),
        (RSA, "RS256", {"kid": "e1"}),
        (RSA, "RS256", {"kid": "unknown"}),
        (RSA, "RS256", {}),
        (SHORT_RSA, "RS256", {"kid": "short"}),
        (RSA, "RS256", {"kid": "encrypts"}),
    ],
    ids=["RS512", "PS256", "of another kind", "unknown", "no kid", "too short", "for encryption"],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_what_these_keys_did_not_sign(
    alice: User, client: Client, claims: Claims, provider: Provider,
    key: Any, algorithm: str, header: dict[str, str],
) -> None:  # fmt: skip
    provider.keys += [jwk(SHORT_RSA, "short"), {**jwk(RSA, "encrypts"), "use": "enc"}]
    provider.keys += [{"kty": "oct", "k": "c2VjcmV0", "kid": "oct"}, {"kty": "RSA"}, {}]
    assert status(client, signed(claims, key, algorithm, **header)) == 401


def test_without_a_kid_the_only_key_is_meant(
    alice: User, client: Client, claims: Claims, provider: Provider
) -> None:
    provider.keys = [jwk(RSA, "r1")]
    assert status(client, signed(claims, RSA, "RS256")) == 200


def test_the_token_cannot_name_its_own_keys(
    alice: User, client: Client, claims: Claims, provider: Provider
) -> None:
    with Provider(jwk(EC, "mine")) as evil:
        for name in ("jku", "x5u"):
            headers = signed(claims, EC, "ES256", kid="mine", **{name: evil.url})
            assert status(client, headers) == 401
        headers = signed(claims, EC, "ES256", kid="mine", jwk=jwk(EC, "mine"))
        assert status(client, headers) == 401
        assert evil.asked == 0


def test_a_new_key_is_fetched_but_strangers_cannot_make_us_ask(
    alice: User, client: Client, claims: Claims, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(client, signed(claims, RSA, "RS256", kid="r1")) == 200
    provider.keys = [jwk(RSA, "r2")]
    for _ in range(5):
        assert status(client, signed(claims, RSA, "RS256", kid="r2")) == 401
    assert provider.asked == 1  # 30 s have not passed
    monkeypatch.setattr(jwks, "PAUSE", 0.0)
    assert status(client, signed(claims, RSA, "RS256", kid="r2")) == 200
    assert status(client, signed(claims, RSA, "RS256", kid="r1")) == 401  # withdrawn


def test_the_pause_is_thirty_seconds() -> None:
    assert (jwks.PAUSE, jwks.DEADLINE) == (30, 2)


@pytest.mark.parametrize("fault", ["closed", "status", "garbage", "empty", "large", "redirect"])
def test_known_keys_serve_while_the_source_is_away(
    alice: User, client: Client, claims: Claims, provider: Provider,
    monkeypatch: pytest.MonkeyPatch, fault: str,
) -> None:  # fmt: skip
    good = signed(claims, RSA, "RS256", kid="r1")
    assert status(client, good) == 200
    monkeypatch.setattr(jwks, "PAUSE", 0.0)
    monkeypatch.setattr(jwks, "FRESH", 0.0)
    match fault:
        case "closed":
            provider.close()
        case "status":
            provider.status = 500
        case "garbage":
            provider.body = b"<html>" + b"[" * 100_000
        case "empty":
            provider.keys = []
        case "large":
            provider.body = b" " * (jwks.LARGEST + 1) + b'{"keys": []}'
        case "redirect":
            provider.status, provider.location = 302, "http://127.0.0.1:9/"
    assert status(client, signed(claims, RSA, "RS256", kid="unknown")) == 401
    assert status(client, good) == 200


def test_a_source_that_hangs_holds_up_only_who_needs_it(
    claims: Claims, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = jwks.KeySet(provider.url)
    assert keys.find("r1") is not None
    monkeypatch.setattr(jwks, "PAUSE", 0.0)
    monkeypatch.setattr(jwks, "DEADLINE", 2.0)
    provider.delay = 5.0
    stranger = threading.Thread(target=keys.find, args=("unknown",))
    began = time.monotonic()
    stranger.start()
    time.sleep(0.05)
    assert keys.find("r1") is not None
    assert time.monotonic() - began < 1
    stranger.join()
    assert 1.9 < time.monotonic() - began < 4


def test_without_any_key_it_says_try_again(
    alice: User, client: Client, claims: Claims, provider: Provider
) -> None:
    provider.status = 500
    response = client.get("/test/whoami", headers=signed(claims, RSA, "RS256", kid="r1"))
    assert response.status_code == 503
    assert response.json()["code"] == "SERVICE_UNAVAILABLE"
    assert 25 <= int(response["Retry-After"]) <= 30


def test_many_who_come_first_share_one_fetch(provider: Provider) -> None:
    keys, found = jwks.KeySet(provider.url), []
    provider.delay = 0.2

    def look() -> None:
        try:
            found.append(keys.find("r1"))
        except ServiceUnavailable:
            found.append(None)

    threads = [threading.Thread(target=look) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found)
    assert len(found) == 10
    assert provider.asked == 1
