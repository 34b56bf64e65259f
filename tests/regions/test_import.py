"""`manage.py regions_import`: a file becomes regions and servers, or nothing does."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from regions.models import Region, Server
from tests.regions.scene import SECRET, region, server

FILE = f"""
regions:
  - id: us-west
    name: US West
    emoji: "🇺🇸"
    latitude: 45.5
    longitude: -122.7
    is_default: true
    allowed_guild_ids: ["987654321"]
    servers:
      - id: one
        endpoint: wss://voice.example.org
        api_key: key-1
        api_secret: {SECRET}
        soft_connection_limit: 100
  - id: eu-central
    name: EU Central
"""


Load = Callable[..., list[str]]


@pytest.fixture
def load(db: None, tmp_path: Path) -> Load:
    """Imports this text; the lines that were said."""

    def run(text: str = FILE, **options: bool) -> list[str]:
        file, out = tmp_path / "regions.yaml", io.StringIO()
        file.write_text(text, encoding="utf-8")
        call_command("regions_import", str(file), stdout=out, **options)
        return out.getvalue().splitlines()

    return run


def test_what_the_file_lists_is_there_and_the_second_time_nothing_changes(load: Load) -> None:
    assert load() == ["us-west: created", "us-west/one: created", "eu-central: created"]
    assert Region.objects.get(pk="us-west").allowed_guild_ids == [987654321]
    assert Server.objects.get().api_secret == SECRET
    assert load() == ["nothing to change"]


def test_changes_are_said_and_secrets_are_not(load: Load) -> None:
    load()
    other = "x" * 40
    said = load(FILE.replace(SECRET, other).replace("name: EU Central", "name: Europe"))
    assert said == [
        "us-west/one: api_secret changed",
        "eu-central: name 'EU Central' -> 'Europe'",
    ]
    assert Server.objects.get().api_secret == other


def test_a_dry_run_says_it_all_and_writes_nothing(load: Load) -> None:
    said = load(dry_run=True)
    assert said[:3] == ["us-west: created", "us-west/one: created", "eu-central: created"]
    assert "dry run" in said[3]
    assert not Region.objects.exists()
    load()
    assert load(dry_run=True) == ["nothing to change"]


def test_what_is_not_in_the_file_stays_and_the_default_flag_moves(load: Load) -> None:
    region("old", is_default=True)
    server("old")
    load()
    assert Server.objects.filter(region="old").exists()
    assert Region.objects.get(is_default=True).pk == "us-west"


def test_a_server_that_drains_goes_on_draining(load: Load) -> None:
    load()
    Server.objects.update(is_draining=True)
    assert load() == ["nothing to change"]
    assert Server.objects.get().is_draining


def test_a_secret_may_come_from_the_environment(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FILE.replace(SECRET, "${WEST_SECRET}")
    monkeypatch.delenv("WEST_SECRET", raising=False)
    with pytest.raises(CommandError, match="the environment has no WEST_SECRET"):
        load(text)
    monkeypatch.setenv("WEST_SECRET", SECRET)
    load(text)
    assert Server.objects.get().api_secret == SECRET


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("name: EU Central", "name: ''"), r"eu-central\.name: This field may not be blank"),
        (("name: EU Central", "nam: x"), "eu-central: unknown key nam"),
        (("id: eu-central", "id: us-west"), "lists us-west twice"),
        (("id: eu-central", "id: EU"), r"regions\[1\]\.id must be"),
        (("id: eu-central", 'id: "eu\\n"'), r"regions\[1\]\.id must be"),
        (("id: eu-central", "id: 5"), r"regions\[1\]\.id must be"),
        (("name: EU Central", "name: x\n    is_default: true"), "Only one region"),
        (("name: EU Central", "name: x\n    servers: 5"), "eu-central.servers must be a list"),
        (("wss://voice", "https://voice"), r"us-west/one\.endpoint: The address must begin"),
        (("api_key: key-1", "api_key: key-1\n        health: x"), "unknown key health"),
        ((f"api_secret: {SECRET}", ""), r"us-west/one\.api_secret: "),
        ((SECRET, "short"), "at least 32 characters"),
        (("latitude: 45.5", "latitude: .nan"), r"us-west\.latitude"),
        (("latitude: 45.5", ""), r"us-west\.latitude: Give both"),
        (("regions:", "region:"), "one key, `regions`"),
        (("regions:", "regions: ["), "not valid YAML at line"),
        (("name: EU Central", "name: !!python/object:os.system {}"), "not valid YAML"),
    ],
)
def test_a_fault_is_one_sentence_with_its_place_and_changes_nothing(
    load: Load, change: tuple[str, str], said: str
) -> None:
    text = FILE.replace(*change)
    assert text != FILE
    with pytest.raises(CommandError, match=said) as refused:
        load(text)
    assert SECRET not in str(refused.value)
    assert not Region.objects.exists()


def test_a_changed_address_without_its_secret_is_refused_whole(load: Load) -> None:
    load()
    text = FILE.replace("voice.example", "elsewhere.example").replace(f"api_secret: {SECRET}", "")
    with pytest.raises(CommandError, match="api_secret"):
        load(text.replace("US West", "Renamed"))
    assert Region.objects.get(pk="us-west").name == "US West"


def test_a_file_that_is_not_there_is_said(db: None) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("regions_import", "/nowhere/regions.yaml")
