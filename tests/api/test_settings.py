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
        ("DATABASE_URL", "postgres://fluxer:hunter2/x@127.0.0.1/fluxer"),
        ("DATABASE_URL", "postgres://fluxer:hunter2@127.0.0.1"),
        ("DATABASE_URL", "fluxer:hunter2@127.0.0.1/fluxer"),
        ("DATABASE_URL", "psql2://fluxer:hunter2@127.0.0.1/fluxer"),
        ("DATABASE_URL", "sqlite:///fluxer"),
        ("DATABASE_URL", "fluxer"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("REDIS_URL", "redis://127.0.0.1:x/0"),
        ("REDIS_URL", "redis://:hunter2#@127.0.0.1:6379/0"),
        ("REDIS_URL", "redis://:hunter2@127.0.0.1/0?nonsense=1"),
        ("REDIS_URL", "redis://:hunter2@127.0.0.1/0?protocol=4"),
        ("REDIS_URL", "rediss://:hunter2@127.0.0.1/0?ssl_cert_reqs=CERT_NONE"),
        ("CELERY_BROKER_URL", "127.0.0.1:6379"),
        ("CELERY_BROKER_URL", "foo"),
        ("CELERY_BROKER_URL", "http://127.0.0.1"),
        ("CELERY_BROKER_URL", "confluentkafka://127.0.0.1"),
        ("CELERY_BROKER_URL", "redis://:hunter2#@127.0.0.1:6379/0"),
        ("ALLOWED_HOSTS", "https://voice.example.org"),
        ("ALLOWED_HOSTS", "127.0.0.1,voice.example.org:8000"),
        ("ALLOWED_HOSTS", "voice.example.org/"),
        ("ALLOWED_HOSTS", "*.example.org"),
        ("CSRF_TRUSTED_ORIGINS", "voice.example.org"),
        ("CSRF_TRUSTED_ORIGINS", "https://voice.example.org/"),
        ("CSRF_TRUSTED_ORIGINS", "null"),
        ("CORS_ALLOWED_ORIGINS", "https://chat.example.org,chat.example.org"),
        ("CORS_ALLOWED_ORIGINS", "https://chat.example.org/app"),
        ("CORS_ALLOWED_ORIGINS", "*"),
    ],
)
def test_what_cannot_be_meant_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name) as refused:
        read()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://fluxer:p%23w@[::1]:5432/fluxer?sslmode=require"),
        ("REDIS_URL", "rediss://fluxer:p%23w@redis.example.org:6380/1"),
        ("CELERY_BROKER_URL", "redis+socket:///run/redis.sock"),
        ("CELERY_BROKER_URL", "sentinel://a:26379;sentinel://b:26379"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "voice-1.example.org, .example.org,web,10.0.0.1,[::1]"),
        ("CSRF_TRUSTED_ORIGINS", "https://voice.example.org:8443,https://*.example.org"),
        ("CORS_ALLOWED_ORIGINS", "http://127.0.0.1:3000,capacitor://localhost,null,file://"),
    ],
)
def test_an_address_may_be_written_in_every_way_that_works(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    read()


def test_redis_on_a_socket_is_no_queue_until_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "unix:///run/redis.sock")
    with pytest.raises(ImproperlyConfigured, match="CELERY_BROKER_URL"):
        read()
    monkeypatch.setenv("CELERY_BROKER_URL", "redis+socket:///run/redis.sock")
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
