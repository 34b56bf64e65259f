"""A configuration that cannot work stops the boot in a sentence; an unsafe one is told of."""

import logging
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from fluxer import checks


def ids(messages: list[Any]) -> list[str]:
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


def test_the_tests_are_well_configured() -> None:
    assert ids(checks.configuration()) == []
    checks.at_boot()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"FLUXER_AUTH_JWT_KEY": ""}, ["fluxer.E001"]),
        ({"FLUXER_AUTH_JWKS_URL": "https://id.example.org/jwks"}, ["fluxer.E002"]),
        ({"FLUXER_AUTH_JWT_KEY": "k" * 31}, ["fluxer.E003"]),
        ({"FLUXER_AUTH_JWT_KEY": "é" * 16}, []),
        ({"FLUXER_AUTH_JWT_KEY": "", "FLUXER_AUTH_JWKS_URL": "file:///etc"}, ["fluxer.E004"]),
        ({"FLUXER_SERVICE_TOKEN": ["s" * 32, "s" * 31]}, ["fluxer.E005"]),
        ({"FLUXER_SERVICE_TOKEN": []}, []),
        ({"FIELD_KEYS": []}, ["fluxer.E006"]),
        ({"FIELD_KEYS": ["A" * 43 + "=", "x"]}, ["fluxer.E007"]),
        ({"FIELD_KEYS": ["é"]}, ["fluxer.E007"]),
    ],
    ids=repr,
)
def test_what_cannot_work(settings: Settings, values: dict[str, Any], expected: list[str]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert ids(checks.configuration()) == expected
    if expected:
        with pytest.raises(ImproperlyConfigured, match="|".join(values)):
            checks.at_boot()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"SECURE_SSL_REDIRECT": False}, ["fluxer.W001"]),
        ({"FLUXER_DEMO": True}, ["fluxer.W002"]),
        ({"METRICS_TOKEN": ""}, ["fluxer.W003"]),
        ({"FLUXER_SERVICE_TOKEN": []}, ["fluxer.W004"]),
        ({"ALLOWED_HOSTS": ["*"]}, ["fluxer.W005"]),
        ({"FLUXER_AUTH_JWKS_URL": "http://id.example.org/jwks"}, ["fluxer.W006"]),
    ],
    ids=repr,
)
def test_what_is_unfit_for_production(
    settings: Settings, values: dict[str, Any], expected: list[str]
) -> None:
    fit = {"SECURE_SSL_REDIRECT": True, "FLUXER_DEMO": False, "METRICS_TOKEN": "m" * 32}
    for name, value in (fit | values).items():
        setattr(settings, name, value)
    assert ids(checks.production()) == expected


def test_it_is_said_at_boot(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.FLUXER_DEMO = True
    with caplog.at_level(logging.WARNING):
        checks.at_boot()
    assert "Not fit for production: HTTPS_ONLY is off" in caplog.text
    assert "FLUXER_DEMO is on" in caplog.text
