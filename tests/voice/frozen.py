"""A process that froze while it held the lock of a channel."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


@contextmanager
def hold(channel_id: int) -> Iterator[None]:
    """Another connection has the channel's lock meanwhile."""
    names = ("dbname", "host", "port", "user", "password")
    where = connection.get_connection_params()
    lock = "SELECT 1 FROM directory_channel WHERE id = %s FOR NO KEY UPDATE"
    with psycopg.connect(**{name: where[name] for name in names if name in where}) as other:
        other.execute(lock, [channel_id])
        yield
        other.rollback()
