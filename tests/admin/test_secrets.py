"""No secret in use is on any page of the admin, in any message, error or line of the log."""

import logging
import os
import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.db import connection
from django.test import Client

from regions.models import Server
from regions.tasks import probe_servers
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.voice.scene import ALICE, Caller

OTHER = "another-secret-of-thirty-two-characters"
JWT = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{20,}")
FERNET = re.compile(r"gAAAAA[\w-]{20,}")


def secrets_in_use() -> list[str]:
    password = urlsplit(os.environ["DATABASE_URL"]).password
    redis = urlsplit(configured.REDIS_URL).password
    single = (configured.SECRET_KEY, configured.FLUXER_AUTH_JWT_KEY, configured.METRICS_TOKEN)
    found = [
        *single,
        *configured.FIELD_KEYS,
        *configured.FLUXER_SERVICE_TOKEN,
        password,
        redis,
        OTHER,
    ]
    found += [server.api_secret for server in Server.objects.all()]
    return [secret for secret in found if secret]


def leaks(text: str) -> list[str]:
    told = [secret for secret in secrets_in_use() if secret in text]
    return told + JWT.findall(text) + FERNET.findall(text)


def told(answer: Any) -> str:
    return f"{dict(answer.headers)} {answer.content.decode()}"


def server_form(fake: FakeLiveKit, **fields: Any) -> dict[str, Any]:
    return {
        "region": "us-west",
        "slug": "new",
        "endpoint": fake.url,
        "api_url": fake.api_url,
        "api_key": fake.key,
        "api_secret": fake.secret,
        "is_active": "on",
        **fields,
    }


def test_none_of_it_is_told(
    root: Client, west: FakeLiveKit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    west.join(Caller(ALICE).token()["token"])
    server = Server.objects.get()
    seen: dict[str, str] = {}

    def note(name: str, answer: Any) -> None:
        seen[name] = told(answer)

    for page in pages.every(root):
        note(page, root.get(page))
    add, edit = "/admin/regions/server/add/", f"/admin/regions/server/{server.pk}/change/"
    for number, (page, fields) in enumerate(
        (
            (add, {"api_secret": OTHER}),  # saved, and refused by the server
            (add, {"api_secret": OTHER}),  # there is one already
            (edit, {"api_secret": OTHER, "endpoint": "https://wrong"}),
            (edit, {"api_secret": "", "api_key": "other"}),
            (edit, {"api_secret": OTHER, "is_draining": "on"}),
        )
    ):
        note(f"{number} {page}", root.post(page, server_form(west, **fields), follow=True))
    for action in ("probe_now", "drain", "restore", "move_off"):
        note(f"ask {action}", pages.ask(root, Server, action, server))
        seen[f"do {action}"] = pages.do(root, Server, action, server)
    west.fault("error", code="unauthenticated")
    note("failing", root.post(edit, server_form(west), follow=True))
    assert {name: leaks(text) for name, text in seen.items() if leaks(text)} == {}
    # The test database is told what to store: encrypted, whatever else the log of its statements.
    lines = [r for r in caplog.records if not r.name.startswith(("django.db", "psycopg"))]
    said = "\n".join(f"{line.getMessage()} {line.exc_text or ''}" for line in lines)
    assert leaks(said) == []


def test_nor_is_it_by_what_is_asked_without_signing_in(
    west: FakeLiveKit, client: Client, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.METRICS_TOKEN = "a-token-for-those-who-measure"
    Caller(ALICE).token()
    west.fault("error", code="unauthenticated")
    probe_servers()
    asked = (
        ("/", "/healthz", "/readyz", "/docs", "/schema", "/nowhere", "/metrics", "/service/regions",
         "/admin/login/", "/admin/nowhere", "/admin/a%00b/")
    )  # fmt: skip
    seen = {page: told(client.get(page)) for page in asked}
    measured = {"Authorization": f"Bearer {settings.METRICS_TOKEN}"}
    seen["measured"] = told(client.get("/metrics", headers=measured))
    seen["sign in"] = told(client.post("/admin/login/", {"username": "x", "password": OTHER}))
    assert "fluxer_server_seats" in seen["measured"]
    for command in (["voice_status"], ["voice_status", "--json"], ["regions_export"], ["check"]):
        with suppress(SystemExit):
            call_command(*command)
        seen[" ".join(command)] = str(capsys.readouterr())
    assert "us-west" in seen["regions_export"]
    assert {name: leaks(text) for name, text in seen.items() if leaks(text)} == {}


@pytest.mark.parametrize("name", ["vera", "mona", "olaf"])
def test_who_may_only_look_is_not_told_either(
    name: str, request: pytest.FixtureRequest, west: FakeLiveKit
) -> None:
    client: Client = request.getfixturevalue(name)
    for page in pages.every(client):
        assert leaks(client.get(page).content.decode()) == [], page


def test_who_may_change_a_region_and_look_at_its_servers_is_not_told(west: FakeLiveKit) -> None:
    client = signed_in("rhea", "view", "regions.change_region")
    page = client.get("/admin/regions/region/us-west/change/").content.decode()
    assert west.url in page
    assert leaks(page) == []


def test_the_table_has_it_encrypted(west: FakeLiveKit) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_secret FROM regions_server")
        assert FERNET.fullmatch(cursor.fetchone()[0].rstrip("="))


def test_no_history_tells_it(root: Client, west: FakeLiveKit) -> None:
    server = Server.objects.get()
    page = f"/admin/regions/server/{server.pk}/change/"
    pages.send(root, page, pages.opened(root, page), api_secret=OTHER)
    page = root.get(f"/admin/regions/server/{server.pk}/history/").content.decode()
    assert "Changed API secret" in page
    assert leaks(page) == []
