"""Every error that a token request can be answered with, in its envelope."""

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from fluxer.errors import catalogue
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice import test_token_checks as checks
from tests.voice.scene import BOB, DM, VOICE, bearer
from tests.voice.test_token_checks import Request
from voice import tokens

PATH = "/channels/{channel_id}/voice/token"
STATUS = {
    "UNAUTHORIZED": 401,
    "UNKNOWN_USER": 404,
    "INVALID_FORM_BODY": 400,
    "UNKNOWN_CHANNEL": 404,
    "UNKNOWN_MEMBER": 404,
    "INVALID_CHANNEL_TYPE": 400,
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS": 400,
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_ONE_ON_ONE_VOICE_CALLS": 400,
    "VOICE_MEMBER_TIMED_OUT": 403,
    "MISSING_PERMISSIONS": 403,
    "UNKNOWN_VOICE_REGION": 404,
    "VOICE_CONNECTION_NOT_FOUND": 404,
    "VOICE_CHANNEL_FULL": 400,
    "VOICE_CONNECTION_LIMIT_REACHED": 400,
    "FEATURE_TEMPORARILY_DISABLED": 503,
    "SERVICE_UNAVAILABLE": 503,
    "INTERNAL_ERROR": 500,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMITED": 429,
}
SENTENCES = {
    "VOICE_CHANNEL_FULL": "Voice channel is full",
    "FEATURE_TEMPORARILY_DISABLED": "Feature is temporarily disabled",
    "UNKNOWN_VOICE_REGION": "Invalid or unavailable region",
}


class Provoked:
    """One request that is answered with `code`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        self.monkeypatch, self.settings = monkeypatch, settings

    def __call__(self, code: str) -> Any:
        special = getattr(self, code.lower(), None)
        if special is not None:
            return special()
        request = Request()
        next(spoil for spoil, its, _ in checks.FAULTS if its == code)(request)
        return request.send()

    def unclaimed_account_cannot_join_one_on_one_voice_calls(self) -> Any:
        request = Request()
        checks.unclaimed(request)
        request.path, request.body = f"/channels/{DM}/voice/token", {}
        return request.send()

    def service_unavailable(self) -> Any:
        return self._failing(OperationalError("the connection was lost"))

    def internal_error(self) -> Any:
        return self._failing(RuntimeError("secret: what the inside looks like"))

    def _failing(self, error: Exception) -> Any:
        def issue(*args: Any, **kwargs: Any) -> None:
            raise error

        self.monkeypatch.setattr(tokens, "issue", issue)
        return Request().send()

    def not_found(self) -> Any:
        request = Request()
        request.path = f"/channels/0{VOICE}/voice/token"
        return request.send()

    def method_not_allowed(self) -> Any:
        client = Client(raise_request_exception=False)
        return client.get(Request().path, headers={"Authorization": bearer(BOB)})

    def payload_too_large(self) -> Any:
        return self._raw(b'{"region": "' + b"x" * 64 * 1024 + b'"}', "application/json")

    def unsupported_media_type(self) -> Any:
        return self._raw(b"guild_id=10", "application/x-www-form-urlencoded")

    def _raw(self, body: bytes, content_type: str) -> Any:
        client = Client(raise_request_exception=False)
        headers = {"Authorization": bearer(BOB)}
        return client.post(Request().path, body, content_type=content_type, headers=headers)

    def rate_limited(self) -> Any:
        # Counted before the checks: refused requests count too.
        self.settings.RATELIMIT = {**self.settings.RATELIMIT, "token": 1}
        request = Request()
        checks.malformed_body(request)
        return [request.send() for _ in range(3)][-1]


@pytest.fixture
def provoked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Provoked:
    return Provoked(monkeypatch, settings)


@pytest.mark.parametrize("code", STATUS)
def test_every_error_has_its_status_and_its_envelope(
    west: FakeLiveKit, provoked: Provoked, code: str
):
    answer = provoked(code)
    body = answer.json()

    assert (answer.status_code, body["code"]) == (STATUS[code], code)
    assert body["message"]
    assert "inside" not in answer.content.decode()
    more = {"errors"} if code == "INVALID_FORM_BODY" else set()
    more |= {"retry_after"} if answer.status_code in (429, 503) else set()
    assert set(body) == {"code", "message"} | more
    if "retry_after" in body:
        assert answer.headers["Retry-After"] == str(body["retry_after"])
        assert body["retry_after"] >= 1
    else:
        assert "Retry-After" not in answer.headers
    assert answer.headers["X-Request-ID"]
    assert (answer.headers.get("WWW-Authenticate") == "Bearer") == (code == "UNAUTHORIZED")


@pytest.mark.parametrize(("code", "sentence"), SENTENCES.items())
def test_the_seeds_errors_have_the_seeds_words(
    west: FakeLiveKit, provoked: Provoked, code: str, sentence: str
):
    assert provoked(code).json()["message"] == sentence


def test_each_of_them_is_in_the_catalogue():
    known = {(kind.code, kind.status) for kind in catalogue()}

    assert set(STATUS.items()) <= known


@pytest.mark.django_db
def test_no_other_error_is_documented_and_none_is_left_out():
    document = json.loads(Client().get("/schema").content)
    responses = document["paths"][PATH]["post"]["responses"]
    codes = {
        code
        for status, response in responses.items()
        if not status.startswith("2")
        for code in response["content"]["application/json"]["schema"]["properties"]["code"]["enum"]
    }

    # Which address takes which method is said by the document itself.
    assert codes == set(STATUS) - {"METHOD_NOT_ALLOWED"}


def test_a_refusal_marks_no_server_as_suspect(west: FakeLiveKit):
    for spoil, _, _ in checks.FAULTS[:-1]:
        request = Request()
        spoil(request)
        request.send()

    assert Server.objects.get().suspect_until is None
