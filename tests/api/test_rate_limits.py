"""Twenty a window means twenty, however many ask at once; and without Redis nobody is refused."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.conf import settings as configured
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from fluxer import throttling
from fluxer.directory.models import User
from tests.api.conftest import ALICE

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]
HERE = "/test/limited"
KEY = f"fluxer:rate:token:{ALICE}"
Bearer = Callable[..., dict[str, str]]


@pytest.fixture
def store() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(configured.REDIS_URL) as client:
        client.delete(KEY)
        yield client
        client.delete(KEY)


def limit(settings: Settings, requests: int) -> None:
    settings.RATELIMIT = {"token": requests}


def test_one_too_many_is_told_how_long_to_wait(
    as_alice: Client, settings: Settings, store: redis.Redis,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    limit(settings, 3)
    assert [as_alice.get(HERE).status_code for _ in range(3)] == [200] * 3
    store.pexpire(KEY, 4200)
    with django_assert_num_queries(1):
        response = as_alice.get(HERE)
    assert response.status_code == 429
    assert response.json()["code"] == "RATE_LIMITED"
    assert response.json()["retry_after"] == 5
    assert response["Retry-After"] == "5"
    store.delete(KEY)  # the window ends
    assert as_alice.get(HERE).status_code == 200


def test_a_window_is_ten_seconds_and_does_not_grow(
    as_alice: Client, settings: Settings, store: redis.Redis
) -> None:
    limit(settings, 1)
    as_alice.get(HERE)
    assert 9000 < store.pttl(KEY) <= 10_000
    store.pexpire(KEY, 3000)
    as_alice.get(HERE)
    assert store.pttl(KEY) <= 3000


def test_a_key_without_an_end_gets_one(
    as_alice: Client, settings: Settings, store: redis.Redis
) -> None:
    limit(settings, 1)
    store.set(KEY, 50)
    assert as_alice.get(HERE).status_code == 429
    assert 9000 < store.pttl(KEY) <= 10_000


def test_refused_requests_count_too(
    as_alice: Client, settings: Settings, store: redis.Redis
) -> None:
    limit(settings, 2)
    quiet = Client(headers=dict(as_alice.headers or {}), raise_request_exception=False)
    quiet.defaults.update(as_alice.defaults)
    assert [quiet.post(HERE).status_code for _ in range(3)] == [500, 500, 429]


def test_each_user_has_a_window(
    as_alice: Client, client: Client, bearer: Bearer, settings: Settings, store: redis.Redis
) -> None:
    limit(settings, 1)
    User.objects.create(id=4102, username="bob")
    store.delete("fluxer:rate:token:4102")
    assert as_alice.get(HERE).status_code == 200
    assert as_alice.get(HERE).status_code == 429
    assert client.get(HERE, headers=bearer(sub="4102")).status_code == 200


def test_zero_asks_nobody(as_alice: Client, settings: Settings, store: redis.Redis) -> None:
    limit(settings, 0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    throttling._redis.cache_clear()
    assert [as_alice.get(HERE).status_code for _ in range(5)] == [200] * 5
    assert throttling._redis.cache_info().currsize == 0


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once(
    alice: User, bearer: Bearer, settings: Settings, store: redis.Redis
) -> None:
    limit(settings, 5)
    headers, together = bearer(), threading.Barrier(20)

    def ask(_: int) -> int:
        try:
            together.wait()
            return Client().get(HERE, headers=headers).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert sorted(answers) == [200] * 5 + [429] * 15
    assert store.get(KEY) == b"20"


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def test_a_redis_that_refuses_lets_through(as_alice: Client, settings: Settings) -> None:
    limit(settings, 1)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert [as_alice.get(HERE).status_code for _ in range(3)] == [200] * 3


def test_a_redis_that_hangs_costs_one_request_a_moment(
    as_alice: Client, settings: Settings, deaf_port: int
) -> None:
    limit(settings, 1)
    settings.REDIS_URL = f"redis://127.0.0.1:{deaf_port}/0"

    def seconds() -> float:
        began = time.perf_counter()
        assert as_alice.get(HERE).status_code == 200
        return time.perf_counter() - began

    assert seconds() < 1
    assert sum(seconds() for _ in range(20)) < 2  # each for itself would take three


def test_a_redis_that_came_back_counts_again(
    as_alice: Client, settings: Settings, store: redis.Redis
) -> None:
    limit(settings, 1)
    here: Any = throttling._redis(configured.REDIS_URL)
    here._client.connection_pool.disconnect()
    here._away_until = time.monotonic() + 60
    assert [as_alice.get(HERE).status_code for _ in range(2)] == [200] * 2
    here._away_until = time.monotonic()
    assert [as_alice.get(HERE).status_code for _ in range(2)] == [200, 429]


def test_a_full_redis_lets_through(
    as_alice: Client, settings: Settings, store: redis.Redis
) -> None:
    limit(settings, 1)
    store.set(KEY, "not a number")
    assert as_alice.get(HERE).status_code == 200
    throttling._redis.cache_clear()
