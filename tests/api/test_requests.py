"""What every request passes: its id, its line in the log, and errors in one shape."""

import json
import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from fluxer.directory.models import User
from fluxer.logs import RequestIdFilter

pytestmark = pytest.mark.urls("tests.api.urls")


@pytest.fixture
def quiet() -> Client:
    """A client that does not raise what the service answers with 500."""
    return Client(raise_request_exception=False)


def assert_envelope(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code
    assert body["message"]
    assert set(body) <= {"code", "message", "errors", "retry_after"}
    assert ("retry_after" in body) == ("Retry-After" in response) == (status in (429, 503))
    assert "hunter2" not in response.content.decode()
    assert response["X-Request-ID"]
    return body


# --- Request ids and the log -------------------------------------------------------------------
@pytest.mark.parametrize("request_id", ["a", "A.b_c-9", "x" * 64])
def test_a_request_id_is_echoed(client: Client, request_id: str) -> None:
    response = client.get("/healthz", headers={"X-Request-ID": request_id})
    assert response["X-Request-ID"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a b", "a\nb", "é", "a;b", "a\0b"])
def test_another_is_made_where_it_is_unfit(client: Client, request_id: str) -> None:
    response = client.get("/healthz", headers={"X-Request-ID": request_id})
    assert len(response["X-Request-ID"]) == 32
    assert response["X-Request-ID"] != client.get("/healthz")["X-Request-ID"]


@pytest.mark.django_db
def test_the_log_has_one_line_without_what_is_private(
    as_alice: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        as_alice.get("/test/whoami?latitude=37.7749", headers={"X-Request-ID": "r-1"})
    (record,) = caplog.records
    assert record.name == "fluxer.access"
    assert record.getMessage().startswith("GET /test/whoami 200 ")
    assert record.getMessage().endswith(" user=4101")
    assert "37.7749" not in caplog.text
    assert "eyJ" not in caplog.text


def test_nobody_can_write_lines_into_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="fluxer.access"):
        client.get("/a%0AGET%20/admin/%20200")
    assert "\n" not in caplog.records[0].getMessage()


def test_what_is_logged_outside_of_a_request_has_no_id() -> None:
    record = logging.makeLogRecord({})
    assert RequestIdFilter().filter(record)
    assert record.request_id == "-"  # type: ignore[attr-defined]


# --- Errors, whoever makes them ----------------------------------------------------------------
def test_no_such_address(client: Client) -> None:
    for path in ("/nothing", "/test/whoami/", "/static/nothing.css", "/%00", "/%ff"):
        assert_envelope(client.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["put", "delete", "options", "trace"])
def test_a_method_that_is_not_served(as_alice: Client, method: str) -> None:
    response = getattr(as_alice, method)("/test/whoami")
    assert_envelope(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["/", "/docs", "/schema", "/healthz", "/readyz"])
def test_pages_are_read_only(path: str) -> None:
    response = Client(enforce_csrf_checks=True).post(path)
    assert_envelope(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.django_db
def test_head_is_get_without_a_body(as_alice: Client) -> None:
    response = as_alice.head("/test/whoami")
    assert response.status_code == 200
    assert response.content == b""


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*;q=0", "nonsense"])
def test_only_json_whatever_is_asked_for(as_alice: Client, accept: str) -> None:
    response = as_alice.get("/test/whoami", headers={"Accept": accept})
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/test/bare?how=raise", "/test/broken"])
def test_a_fault_of_ours_says_nothing_of_the_inside(
    alice: User, quiet: Client, bearer: Callable[..., dict[str, str]], path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    assert_envelope(quiet.get(path, headers=bearer()), 500, "INTERNAL_ERROR")
    assert [r.name for r in caplog.records if r.exc_info] == ["fluxer.errors"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_FORM_BODY"), (401, "UNAUTHORIZED"), (403, "MISSING_PERMISSIONS"),
        (404, "NOT_FOUND"), (405, "METHOD_NOT_ALLOWED"), (413, "PAYLOAD_TOO_LARGE"),
        (415, "UNSUPPORTED_MEDIA_TYPE"), (500, "INTERNAL_ERROR"), (503, "SERVICE_UNAVAILABLE"),
    ],
)  # fmt: skip
def test_whatever_answers_html_answers_json(client: Client, status: int, code: str) -> None:
    assert_envelope(client.get(f"/test/bare?how=status&status={status}"), status, code)


def test_an_unknown_host(client: Client) -> None:
    response = client.get("/test/whoami", headers={"Host": "evil.example"})
    body = assert_envelope(response, 400, "INVALID_FORM_BODY")
    assert body["errors"][0]["code"] == "DISALLOWED_HOST"


@pytest.mark.django_db
def test_staff_get_pages(client: Client) -> None:
    assert client.get("/admin/").status_code == 302
    response = client.get("/admin/login/")
    assert response.status_code == 200
    assert "csrftoken" in response.cookies
    refused = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x"})
    assert refused.status_code == 403
    assert refused["Content-Type"].startswith("text/html")
    assert refused["X-Request-ID"]


# --- Bodies ------------------------------------------------------------------------------------
def post(client: Client, body: bytes, path: str = "/test/echo", **options: Any) -> Any:
    return client.generic("POST", path, body, **{"content_type": "application/json"} | options)


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nonsense", b"\xff\xfe", b'{"a": "\xff"}', b"\xef\xbb\xbf{}", b"NaN", b"[Infinity]",
        b'{"a": -Infinity}', b"[" * 30_000, b'{"a":' * 10_000, b"9" * 5000, b"\0", b"{} {}", b" ",
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_a_body_that_is_no_json(as_alice: Client, body: bytes) -> None:
    response = post(as_alice, body)
    answer = assert_envelope(response, 400, "INVALID_FORM_BODY")
    assert [error["code"] for error in answer["errors"]] == ["INVALID_JSON"]


def test_a_body_may_be_as_long_as_the_limit_and_no_longer(as_alice: Client) -> None:
    fits = json.dumps("x" * (64 * 1024 - 2)).encode()
    assert len(fits) == 64 * 1024
    assert post(as_alice, fits).status_code == 200
    assert_envelope(post(as_alice, fits + b" "), 413, "PAYLOAD_TOO_LARGE")


def test_a_view_may_have_a_limit_of_its_own(as_alice: Client) -> None:
    assert post(as_alice, b" " * 98 + b"{}", "/test/small").status_code == 200
    assert_envelope(post(as_alice, b" " * 99 + b"{}", "/test/small"), 413, "PAYLOAD_TOO_LARGE")


def test_a_body_that_nobody_reads_may_not_be_larger_either(as_alice: Client) -> None:
    assert_envelope(post(as_alice, b" " * 70_000, "/test/deaf"), 413, "PAYLOAD_TOO_LARGE")
    assert_envelope(post(as_alice, b" " * 70_000, "/test/whoami"), 413, "PAYLOAD_TOO_LARGE")


def test_a_body_in_chunks_is_read_and_bounded(as_alice: Client) -> None:
    def chunked(body: bytes) -> Any:
        sent: Any = {
            "CONTENT_TYPE": "application/json",
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input": BytesIO(body),
            "wsgi.input_terminated": True,
        }
        return as_alice.generic("POST", "/test/echo", **sent)

    assert chunked(b'{"a": 1}').json() == {"data": {"a": 1}}
    assert_envelope(chunked(b" " * 65_537), 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "", "x"],
)
def test_another_kind_of_body(as_alice: Client, content_type: str) -> None:
    response = post(as_alice, b"a=1", content_type=content_type)
    assert_envelope(response, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_json_is_utf8_whatever_the_charset_says(as_alice: Client) -> None:
    body = json.dumps("é", ensure_ascii=False).encode()
    response = post(as_alice, body, content_type="application/json; charset=latin-1")
    assert response.json() == {"data": "é"}


# --- Sessions and browsers ---------------------------------------------------------------------
@pytest.mark.django_db
def test_the_api_never_touches_a_session(
    alice: User, bearer: Callable[..., dict[str, str]], django_user_model: Any,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    client = Client(headers=bearer())
    client.force_login(django_user_model.objects.create_superuser("root", password="x"))
    with django_assert_num_queries(1):
        response = client.get("/test/whoami")
    assert response.json()["user"] == str(alice.pk)
    assert not response.cookies
    assert client.get("/test/whoami", headers={"Authorization": ""}).status_code == 401


def test_a_browser_may_ask_first(client: Client, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://chat.example"]
    asked = {
        "Origin": "https://chat.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    response = client.options("/test/echo", headers=asked)
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == "https://chat.example"
    refused = client.get("/nothing", headers={"Origin": "https://chat.example"})
    assert refused["Access-Control-Allow-Origin"] == "https://chat.example"
    assert_envelope(refused, 404, "NOT_FOUND")
