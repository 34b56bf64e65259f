"""`manage.py check` says what keeps people from talking."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import checks
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from regions.checks import regions as check
from regions.checks import usable_server_exists
from regions.models import Server
from tests.regions.scene import MACHINE, region, server

pytestmark = pytest.mark.django_db


def found() -> dict[str, str]:
    """Ids and hints."""
    return {str(m.id): str(m.hint) for m in check(databases=["default"])}


def test_without_regions_it_says_how_to_add_one() -> None:
    assert set(found()) == {"regions.W001"}
    assert "regions_import" in found()["regions.W001"]
    assert not usable_server_exists()


def test_nobody_has_to_name_the_database(capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["--database", "default"]):
        call_command("check", *options)
        assert capsys.readouterr().err.count("There is no voice region") == 1


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"is_active": False}, "1 inactive"),
        ({"is_draining": True}, "1 draining"),
        ({"down_since": timezone.now()}, "1 down"),
        ({"failing_since": timezone.now()}, "1 failing"),
        ({"suspect_until": timezone.now() + timedelta(hours=1)}, "suspect"),
    ],
)
def test_servers_that_cannot_take_a_room_are_counted_by_why(
    fields: dict[str, Any], word: str
) -> None:
    region("us-west", is_default=True)
    assert "No region has a server" in found()["regions.W002"]
    server("us-west")
    assert found() == {}
    assert usable_server_exists()
    Server.objects.update(**fields)
    assert word in found()["regions.W002"]
    assert not usable_server_exists()


def test_a_default_is_missed_or_unknown() -> None:
    region("us-west")
    server("us-west")
    assert set(found()) == {"regions.W003"}
    with override_settings(VOICE_DEFAULT_REGION="us-west"):
        assert found() == {}
    with override_settings(VOICE_DEFAULT_REGION="mars"):
        assert found() == {"regions.W004": "Known regions: us-west."}


def test_servers_that_are_one_are_named() -> None:
    region("us-west", is_default=True)
    server("us-west")
    server("us-west", "b", api_url=f"{MACHINE['api_url'].upper().replace('HTTPS', 'https')}/")
    server("us-west", "c", api_url="https://elsewhere.example.org")
    assert list(found()) == ["regions.W006"]
    (warning,) = check(databases=["default"])
    assert "us-west/a and us-west/b are one" in warning.msg


def test_a_database_that_is_away_is_said() -> None:
    away = {**os.environ, "DATABASE_URL": "postgres://voice@127.0.0.1:9/voice"}
    command = (sys.executable, "manage.py", "check")
    done = subprocess.run(
        command, env=away, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert "regions.W007" in done.stderr


def test_without_a_database_nothing_is_asked() -> None:
    assert check(databases=None) == []
    assert "regions.W001" in {m.id for m in checks.run_checks(databases=["default"])}
    assert "regions.W001" not in {m.id for m in checks.run_checks()}
