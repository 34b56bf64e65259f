"""One writer of regions and servers at a time."""

from django.db import connection

_LOCK = 0x766F696365  # "voice"; an arbitrary number that nobody else locks


def one_writer() -> None:
    """Wait for whoever else writes regions or servers; held to the end of the transaction.

    Closes two races that row locks leave open: two regions that both become the default (there
    may be no row to lock yet), and one region or server that two callers create.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
