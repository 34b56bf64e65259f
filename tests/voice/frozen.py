"""A process that froze while it held a lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.db.models import Model


@contextmanager
def hold(channel_id: int) -> Iterator[None]:
    """Another connection has the channel's lock meanwhile."""
    lock = "SELECT 1 FROM directory_channel WHERE id = %s FOR NO KEY UPDATE"
    with _another() as other:
        other.execute(lock, [channel_id])
        yield


@contextmanager
def hold_row(row: Model) -> Iterator[None]:
    """Another connection is writing the row meanwhile."""
    table = row._meta.db_table
    with _another() as other:
        other.execute(f"UPDATE {table} SET id = id WHERE id = %s", [row.pk])  # noqa: S608
        yield


@contextmanager
def hold_table(model: type[Model]) -> Iterator[None]:
    """Another connection has the whole table meanwhile: nobody reads it."""
    with _another() as other:
        other.execute(f"LOCK TABLE {model._meta.db_table} IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def _another() -> "Iterator[psycopg.Connection[Any]]":
    names = ("dbname", "host", "port", "user", "password")
    where = connection.get_connection_params()
    with psycopg.connect(**{name: where[name] for name in names if name in where}) as other:
        yield other
        other.rollback()
