"""The back end's tokens: several at once, long ones only, and none means closed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from fluxer.directory.models import User

pytestmark = pytest.mark.urls("tests.api.urls")
OLD, NEW = "o" * 32, "n" * 40


def ask(client: Client, token: str) -> Any:
    return client.get("/test/back", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.django_db
def test_each_of_the_tokens_works_and_costs_no_statement(
    client: Client, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.FLUXER_SERVICE_TOKEN = [OLD, NEW]
    with django_assert_num_queries(0):
        assert ask(client, OLD).json() == {"caller": "service"}
        assert ask(client, NEW).status_code == 200


@pytest.mark.parametrize("token", [OLD[:-1], OLD + "o", "", "é" * 32, OLD.upper()])
def test_anything_else_does_not(client: Client, settings: Settings, token: str) -> None:
    settings.FLUXER_SERVICE_TOKEN = [OLD, NEW]
    response = ask(client, token)
    assert response.status_code == 401
    assert response.json()["code"] == "UNAUTHORIZED"
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_short_token_counts_as_none(client: Client, settings: Settings) -> None:
    settings.FLUXER_SERVICE_TOKEN = ["s" * 31]
    assert ask(client, "s" * 31).status_code == 401


def test_no_token_is_closed(client: Client, settings: Settings) -> None:
    settings.FLUXER_SERVICE_TOKEN = []
    assert ask(client, "").status_code == 401
    assert client.get("/test/back").status_code == 401


def test_a_user_is_not_the_service(
    alice: User, client: Client, bearer: Callable[..., dict[str, str]]
) -> None:
    assert client.get("/test/back", headers=bearer()).status_code == 401
