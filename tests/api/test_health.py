"""Alive and ready are two questions."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from fluxer import health


@pytest.mark.django_db
def test_alive_touches_nothing(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db(transaction=True)
def test_ready_warns_that_nobody_can_talk(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "degraded",
        "checks": {"postgresql": "ok", "redis": "ok", "migrations": "ok"},
        "warnings": [health.NO_SERVER],
    }


@pytest.mark.django_db(transaction=True)
def test_without_redis_it_still_serves(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"]["redis"] == "away"
    assert health.NO_REDIS in response.json()["warnings"]
    assert "hunter2" not in response.content.decode()


@pytest.fixture
def unapplied(transactional_db: None) -> Iterator[None]:
    recorder = MigrationRecorder(connection)
    app, name = min(health._migrations())
    recorder.record_unapplied(app, name)
    yield
    recorder.record_applied(app, name)


def test_tables_that_are_out_of_date(client: Client, unapplied: None) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "code": "SERVICE_UNAVAILABLE",
        "message": "Not ready to serve; see checks",
        "retry_after": 5,
        "checks": {"postgresql": "ok", "redis": "ok", "migrations": "1 unapplied"},
        "warnings": [],
    }
    assert response["Retry-After"] == "5"
