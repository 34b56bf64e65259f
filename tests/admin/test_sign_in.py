"""Passwords cannot be guessed at speed, and who signs in is not led elsewhere."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from pytest_django import Settings

from fluxer import sign_in
from tests.admin import pages

PASSWORD = "correct-horse-battery"
LOGIN = "/admin/login/"
KEYS = "fluxer:rate:login:*"
OTHER = "198.51.100.7"  # another address


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def store(settings: Settings, db: None) -> Iterator[redis.Redis]:
    """Three attempts an address, fifteen a name; rosa and rolf are staff."""
    settings.RATELIMIT = {**configured.RATELIMIT, "login": 3}
    for name in ("rosa", "rolf"):
        User.objects.create_user(name, password=PASSWORD, is_staff=True)
    with redis.Redis.from_url(configured.REDIS_URL) as client:
        client.delete(*client.keys(KEYS), "none")
        yield client
        client.delete(*client.keys(KEYS), "none")


def attempt(name: str = "rosa", password: str = "wrong", **headers: str) -> Any:
    form = {"username": name, "password": password, "next": "/admin/"}
    return Client().post(LOGIN, form, **headers)  # type: ignore[arg-type]


def statuses(count: int, name: str = "rosa", **headers: str) -> list[int]:
    return [attempt(name, **headers).status_code for _ in range(count)]


def test_after_three_wrong_ones_the_right_one_has_to_wait_too(store: redis.Redis) -> None:
    assert statuses(3) == [200] * 3
    answer = attempt(password=PASSWORD)
    assert answer.status_code == 429
    assert 290 <= int(answer["Retry-After"]) <= 300
    assert "Too many attempts to sign in. Wait 5 min, and try again." in pages.text(answer)
    assert "sessionid" not in answer.cookies
    store.delete(*store.keys(KEYS))  # the window ends
    assert attempt(password=PASSWORD)["Location"] == "/admin/"


def test_waiting_does_not_start_again_with_each_attempt(store: redis.Redis) -> None:
    statuses(4)
    for key in store.keys(KEYS):
        store.pexpire(key, 4200)
    assert attempt()["Retry-After"] == "5"


def test_one_address_has_three_for_all_names_and_locks_out_none_of_them(
    store: redis.Redis,
) -> None:
    assert statuses(20) == [200] * 3 + [429] * 17
    assert attempt("rolf", PASSWORD).status_code == 429
    assert attempt(password=PASSWORD, REMOTE_ADDR=OTHER).status_code == 302


def test_one_name_has_fifteen_from_all_addresses_and_others_have_theirs(
    store: redis.Redis,
) -> None:
    guesses = [attempt(REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(16)]
    assert guesses == [200] * 15 + [429]
    for same in ("rosa", " rosa ", "\uff52osa"):
        assert attempt(same, PASSWORD, REMOTE_ADDR=OTHER).status_code == 429
    assert attempt("rolf", PASSWORD, REMOTE_ADDR="198.51.100.8").status_code == 302


def test_to_look_at_the_page_is_no_attempt(store: redis.Redis) -> None:
    for _ in range(20):
        assert Client().get(LOGIN).status_code == 200
    assert store.keys(KEYS) == []


def test_without_redis_staff_get_in(store: redis.Redis, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert statuses(5) == [200] * 5
    assert attempt(password=PASSWORD).status_code == 302


def test_zero_is_no_limit(store: redis.Redis, settings: Settings) -> None:
    settings.RATELIMIT = {**configured.RATELIMIT, "login": 0}
    assert statuses(5) == [200] * 5
    assert store.keys(KEYS) == []


@pytest.mark.parametrize(
    ("proxies", "forwarded", "peer", "expected"),
    [
        (0, "198.51.100.1", "192.0.2.1", "192.0.2.1"),  # whoever sends it may say anything
        (1, "198.51.100.1", "192.0.2.1", "198.51.100.1"),
        (1, "203.0.113.9, 198.51.100.1", "192.0.2.1", "198.51.100.1"),
        (2, "203.0.113.9, 198.51.100.1", "192.0.2.1", "203.0.113.9"),
        (2, "198.51.100.1", "192.0.2.1", "198.51.100.1"),
        (1, "", "192.0.2.1", "192.0.2.1"),
        (0, "", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        (0, "", "::ffff:192.0.2.1", "192.0.2.1"),
        (1, "'; --", "192.0.2.1", "unknown"),
    ],
)
def test_an_address_is_the_one_that_our_own_proxy_saw(
    proxies: int, forwarded: str, peer: str, expected: str, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    assert sign_in.address(request) == expected


ELSEWHERE = ("//evil.example", "https://evil.example/", "///evil.example", r"/\evil.example",
             "javascript:alert(1)", "http:evil.example", "\t//evil.example")  # fmt: skip


@pytest.mark.parametrize("target", ELSEWHERE)
def test_nobody_is_led_elsewhere(target: str, root: Client, db: None) -> None:
    User.objects.create_user("rosa", password=PASSWORD, is_staff=True)
    form = {"username": "rosa", "password": PASSWORD, "next": target}
    assert Client().post(LOGIN, form)["Location"] == "/admin/"
    assert Client().post(f"{LOGIN}?next={target}", form)["Location"] == "/admin/"
    assert root.get(LOGIN, {"next": target})["Location"] == "/admin/"
    answer = root.post("/admin/logout/", {"next": target})
    assert "evil.example" not in answer.get("Location", "")


def test_no_path_leads_elsewhere(root: Client) -> None:
    for path in ("//evil.example", "//evil.example/", "r/1/1/", "r/x/y/"):
        assert root.get(f"/admin/{path}").status_code == 404, path
