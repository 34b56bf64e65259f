"""/schema is a valid document that names every error; the pages load nothing from outside."""

import re
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from pytest_django import Settings

from fluxer import schema
from fluxer.errors import catalogue


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    response = client.get("/schema")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    answer: dict[str, Any] = response.json()
    return answer


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def test_it_is_valid_and_made_once(document: dict[str, Any]) -> None:
    validate_schema(document)
    assert document["openapi"].startswith("3.")
    assert schema.document() is schema.document()


def test_nothing_had_to_be_guessed() -> None:
    with GENERATOR_STATS.silence():
        SchemaGenerator().get_schema(request=None, public=True)
    assert dict(GENERATOR_STATS._warn_cache) == {}
    assert dict(GENERATOR_STATS._error_cache) == {}


def test_every_operation_says_who_may_call_it_and_what_can_go_wrong(
    document: dict[str, Any],
) -> None:
    assert operations(document)
    for name, operation in operations(document).items():
        who = "service" if " /service/" in name else "user"
        assert operation["security"] == [{who: []}], name
        lacking = {"401", "404", "413", "500", "503"} - operation["responses"].keys()
        assert not lacking, name
        if not name.startswith(("GET", "DELETE")):
            assert {"400", "415"} <= operation["responses"].keys(), name


def test_every_error_is_one_of_the_catalogue(document: dict[str, Any]) -> None:
    known = {kind.code: kind.status for kind in catalogue()}
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")):
                said = response["content"]["application/json"]["schema"]
                assert {"code", "message"} <= set(said["required"])
                assert {known[code] for code in said["properties"]["code"]["enum"]} == {int(status)}
                assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "503"))


def test_an_id_is_a_decimal_string(document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["name"] in ("channel_id", "guild_id"):
                assert parameter["schema"]["pattern"] == "^(0|[1-9][0-9]{0,18})$"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_only_what_is_ours(client: Client, path: str) -> None:
    response = client.get(path)
    page = response.content.decode()
    assert response["Content-Type"].startswith("text/html")
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert not response.cookies
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|https?://", page)
    for address in re.findall(r'(?:src|href)="(/[^"#]*)"', page):
        answer = client.get(address)
        assert answer.status_code in (200, 302), address
        answer.close()


def test_the_first_page_leads_everywhere(client: Client) -> None:
    page = client.get("/").content.decode()
    for address in ("/docs", "/schema", "/admin/", "/healthz", "/readyz"):
        assert f'href="{address}"' in page


def test_the_docs_list_every_error(client: Client) -> None:
    page = client.get("/docs").content.decode()
    for kind in catalogue():
        assert f"<td>{kind.status}</td><td><code>{kind.code}</code></td>" in page


def test_an_unknown_code_is_a_fault_of_the_view() -> None:
    class View:
        authentication_classes = ()
        error_codes = ("NO_SUCH_CODE",)

    seen: Any = schema.FluxerSchema()
    seen.view, seen.method, seen.path = View(), "GET", "/x"
    seen._has_query = lambda: False
    with pytest.raises(ValueError, match="NO_SUCH_CODE"):
        seen._errors()


def test_every_variable_is_in_the_example(settings: Settings) -> None:
    written = (settings.BASE_DIR / "fluxer" / "settings.py").read_text()
    example = (settings.BASE_DIR / ".env.example").read_text()
    names = re.findall(r'(?:env(?:\.\w+)?|_[a-z]+)\(\s*"([A-Z][A-Z_]+)"', written)
    assert len(names) > 30
    for name in [*names, "RUN_DIR", "FLUXER_LOCAL_LIVEKIT"]:
        assert re.search(rf"^# {name}=", example, re.MULTILINE), name
