"""How the directory writes its rows: created once, changed only in the columns that are named.

Whoever locks more than one row does so in this order: channels by id, guild, users, roles, members.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar, cast

from django.db import IntegrityError, connection, transaction
from django.db.models import Model, QuerySet
from psycopg.errors import UniqueViolation

from fluxer.directory.models import Channel
from fluxer.errors import Conflict, ServiceUnavailable

Row = TypeVar("Row", bound=Model)
Verb = TypeVar("Verb", bound=Callable[..., Any])

ATTEMPTS = 3


def locked(found: QuerySet[Row]) -> Row | None:
    """The one row, to be changed; nobody else changes it before we are done."""
    return found.select_for_update(no_key=True).first()


def locked_to_delete(found: QuerySet[Row]) -> Row | None:
    """The one row, to be deleted; nobody refers to it anew before we are done."""
    return found.select_for_update().first()


def held(found: QuerySet[Any]) -> set[int]:
    """Which of these rows exist; they cannot be deleted before we are done.

    FOR KEY SHARE, which Django cannot say: it waits for a deletion and for nothing else.
    """
    sql, parameters = found.order_by("pk").values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} FOR KEY SHARE", parameters)
        return {pk for (pk,) in cursor.fetchall()}


def inserted(row: Model) -> bool:
    """Insert the row. False: its key is taken, and nothing was written."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            return False
        raise
    return True


def claimed(found: QuerySet[Row], fresh: Callable[[], Row]) -> tuple[Row, bool]:
    """The row, locked, or a fresh one inserted, and whether it is new.

    Of two that create it at once one does; the other waits, and finds what the first has made.
    Conflict when the key is taken by a row that is none of `found`.
    """
    row = locked(found)
    if row is not None:
        return row, False
    row = fresh()
    if inserted(row):
        return row, True
    row = locked(found)
    if row is None:
        raise Conflict("This id is taken by something else")
    return row, False


def write(row: Model, values: dict[str, Any]) -> set[str]:
    """Store what differs from the (locked) row, and say which columns did."""
    changed = {name for name, value in values.items() if getattr(row, name) != value}
    for name in changed:
        setattr(row, name, values[name])
    if changed:
        row.save(update_fields=changed)
    return changed


def begun_anew(verb: Verb) -> Verb:
    """The verb, which tries again when `require_all_locked` refused: whoever moved has arrived.

    Not within a larger transaction, which keeps its locks.
    """

    @wraps(verb)
    def tried(**values: Any) -> Any:
        for _ in range(0 if connection.in_atomic_block else ATTEMPTS - 1):
            try:
                return verb(**values)
            except ServiceUnavailable:
                continue
        return verb(**values)

    return cast("Verb", tried)


def require_all_locked(channels: Iterable[Channel], ids: Iterable[int]) -> None:
    """ServiceUnavailable when a channel came in question between looking and locking.

    To lock it now, behind other rows, could meet somebody who locks them the other way round.
    """
    if set(ids) - {channel.pk for channel in channels}:
        raise ServiceUnavailable
