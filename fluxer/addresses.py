"""Addresses in the configuration. One that cannot work is refused in a sentence, which does not
show it: it may hold a password."""

import re
import warnings
from collections.abc import Iterable
from typing import Any

import environ
import kombu
import redis
from django.core.exceptions import ImproperlyConfigured

# As Django matches them with a request's Host: without its port; `.example.org` with all below it.
_HOST = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\s]+")
_WITHOUT_NAME = ("null", "file://")  # what browsers say for pages that are from no server
_ESCAPE = "what is special in the password is written as %XX"


def hosts(name: str, found: list[str]) -> list[str]:
    """Names under which we are called."""
    looks = "names like voice.example.org, without scheme, port or path"
    return _all(name, found, are=(_HOST.fullmatch(host) for host in found), looks=looks)


def trusted_origins(name: str, found: list[str]) -> list[str]:
    """Where forms of ours are sent from."""
    looks = "like https://voice.example.org, without a path"
    return _all(name, found, are=(_ORIGIN.fullmatch(origin) for origin in found), looks=looks)


def origins(name: str, found: list[str]) -> list[str]:
    """Where browser clients come from: also what stands for those that come from no server."""
    named = [origin for origin in found if origin not in _WITHOUT_NAME]
    trusted_origins(name, named)
    return found


def postgresql(name: str, url: str) -> dict[str, Any]:
    """What Django calls a database."""
    try:
        with warnings.catch_warnings(action="ignore"):  # they show the password
            found: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError:
        raise ImproperlyConfigured(f"{name} cannot be read: {_ESCAPE}.") from None
    is_named = found.get("NAME") or found.get("OPTIONS", {}).get("service")
    if not (found.get("ENGINE", "").endswith("postgresql") and is_named):
        looks = "postgres://user:password@host:5432/name"
        raise ImproperlyConfigured(f"{name} must name a PostgreSQL database: {looks}")
    return found


def of_redis(name: str, url: str) -> str:
    """Where Redis is."""
    try:
        redis.ConnectionPool.from_url(url).make_connection()  # which does not connect yet
    except (ValueError, TypeError, redis.RedisError):
        looks = "redis://:password@host:6379/0"
        told = f"{name} must look like {looks}, with options that redis-py knows; {_ESCAPE}."
        raise ImproperlyConfigured(told) from None
    return url


def broker(name: str, url: str) -> str:
    """Where the task queue is."""
    try:
        # Celery would take a word for the name of a machine with RabbitMQ.
        is_known = "://" in url and kombu.Connection(url).transport is not None
    except (ValueError, TypeError, KeyError, ImportError, NameError):
        is_known = False
    if not is_known:
        looks = "redis://:password@host:6379/0"
        raise ImproperlyConfigured(f"{name} must be a queue's, like {looks}; {_ESCAPE}.")
    return url


def _all(name: str, found: list[str], *, are: Iterable[object], looks: str) -> list[str]:
    if not all(are):
        raise ImproperlyConfigured(f"{name} must be {looks}; commas between several.")
    return found
