"""What the environment says is read as it was meant, or refused in a sentence."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

SETTINGS = str(Path(__file__).resolve().parents[2] / "fluxer" / "settings.py")


def read() -> dict[str, Any]:
    return runpy.run_path(SETTINGS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VOICE_TOKEN_TTL", "a minute"),
        ("VOICE_TOKEN_TTL", "0"),
        ("VOICE_TOKEN_TTL", "nan"),
        ("RATELIMIT_TOKEN", "many"),
        ("RATELIMIT_READ", "-1"),
        ("RATELIMIT_READ", "1.5"),
        ("DATABASE_POOL_SIZE", "big"),
        ("TRUSTED_PROXIES", "yes"),
        ("HTTPS_ONLY", "of course"),
        ("FLUXER_DEMO", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("DATABASE_URL", "postgres://127.0.0.1:port/fluxer"),
        ("DATABASE_URL", "sqlite:///fluxer"),
    ],
)
def test_what_cannot_be_meant_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        read()


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VOICE_TOKEN_TTL", "RATELIMIT_TOKEN", "HTTPS_ONLY", "LOG_LEVEL", "ALLOWED_HOSTS"):
        monkeypatch.setenv(name, "")
    settings = read()
    assert settings["VOICE_TOKEN_TTL"] == 60
    assert settings["RATELIMIT"]["token"] == 20
    assert settings["LOG_LEVEL"] == "INFO"


def test_a_list_may_have_spaces_after_its_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUXER_SERVICE_TOKEN", "one, two,, three ")
    assert read()["FLUXER_SERVICE_TOKEN"] == ["one", "two", "three"]


def test_the_last_line_break_of_a_file_is_no_part_of_the_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 64 + "\n")
    monkeypatch.delenv("FLUXER_AUTH_JWT_KEY", raising=False)
    monkeypatch.setenv("FLUXER_AUTH_JWT_KEY_FILE", str(file))
    assert read()["FLUXER_AUTH_JWT_KEY"] == "k" * 64


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("METRICS_TOKEN", raising=False)
    monkeypatch.setenv("METRICS_TOKEN_FILE", str(tmp_path / "nothing"))
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN_FILE cannot be read"):
        read()
