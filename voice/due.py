"""Rooms to be compared with LiveKit. The only module that writes DueRoom.

A row is a promise: it stays until a settle has seen LiveKit agree.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from voice import queue
from voice.models import DueRoom

LEASE = timedelta(seconds=30)  # how long a claimed room is left to its worker
AT_ONCE = 2  # rooms of one server that are settled at the same time


def mark(*rooms: tuple[int, str], delay: float = 0) -> None:
    """These (server id, room name) pairs are due, and settled soon after commit.

    Call it last in the transaction that made it necessary. Sorted, so that no two markers wait
    for each other; the new mark keeps a settle that is under way from forgetting this one.
    """
    due_at = timezone.now() + timedelta(seconds=delay)
    for server_id, room in sorted(set(rooms)):
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO voice_dueroom (server_id, room, due_at, mark, attempts, since)
                VALUES (%s, %s, %s, %s, 0, now())
                ON CONFLICT (server_id, room) DO UPDATE
                SET due_at = least(voice_dueroom.due_at, excluded.due_at),
                    mark = excluded.mark, attempts = 0
                """,
                [server_id, room, due_at, uuid.uuid4()],
            )
        if not delay:
            queue.after_commit("voice.tasks.settle", server_id, room)


def found(*rooms: tuple[int, str]) -> None:
    """A sweep saw these rooms differ. One statement, whatever their number.

    A room that failed keeps its back-off, unless somebody is at it: then their listing may be
    older than what was seen.
    """
    if not rooms:
        return
    pairs = sorted(set(rooms))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO voice_dueroom (server_id, room, due_at, mark, attempts, since)
            SELECT server_id, room, %(now)s, gen_random_uuid(), 0, %(now)s
            FROM unnest(%(servers)s::bigint[], %(rooms)s::text[]) AS seen (server_id, room)
            ON CONFLICT (server_id, room) DO UPDATE
            SET due_at = CASE
                    WHEN voice_dueroom.attempts = 0 OR voice_dueroom.leased_until > %(now)s
                    THEN least(voice_dueroom.due_at, excluded.due_at)
                    ELSE voice_dueroom.due_at END,
                mark = excluded.mark
            """,
            {
                "now": timezone.now(),
                "servers": [server_id for server_id, _ in pairs],
                "rooms": [room for _, room in pairs],
            },
        )
    for server_id, room in pairs:
        queue.after_commit("voice.tasks.settle", server_id, room)


def claim(*, server_id: int, room: str, now: datetime) -> DueRoom | None:
    """The room for this worker, for LEASE; None when it is not due, another worker has it, or
    AT_ONCE rooms of this server are being settled already."""
    rows = DueRoom.objects.raw(
        """
        UPDATE voice_dueroom SET due_at = %(until)s, leased_until = %(until)s, mark = %(mark)s
        WHERE id = (
            SELECT id FROM voice_dueroom
            WHERE server_id = %(server)s AND room = %(room)s AND due_at <= %(now)s
            FOR UPDATE SKIP LOCKED)
        AND (SELECT count(*) FROM voice_dueroom
             WHERE server_id = %(server)s AND leased_until > %(now)s) < %(at_once)s
        RETURNING *
        """,
        {
            "until": now + LEASE,
            "mark": uuid.uuid4(),
            "server": server_id,
            "room": room,
            "now": now,
            "at_once": AT_ONCE,
        },
    )
    return next(iter(rows), None)


def done(due: DueRoom) -> bool:
    """LiveKit agrees. False when the room was marked again meanwhile: then it stays due."""
    deleted, _ = DueRoom.objects.filter(pk=due.pk, mark=due.mark).delete()
    if not deleted:
        DueRoom.objects.filter(pk=due.pk).update(leased_until=None)
    return deleted == 1


def again(due: DueRoom, *, at: datetime, failed: bool = False) -> None:
    """Look once more at `at`, or sooner if it was marked again; a failure counts."""
    DueRoom.objects.filter(pk=due.pk).update(leased_until=None)
    DueRoom.objects.filter(pk=due.pk, mark=due.mark).update(
        due_at=at, attempts=due.attempts + 1 if failed else 0
    )


def put_off(*, server_id: int, until: datetime) -> None:
    """All due rooms of a server that hangs wait: a kick elsewhere must not."""
    DueRoom.objects.filter(server_id=server_id, due_at__lt=until).update(due_at=until)


def wake(*, server_id: int) -> None:
    """The server answers again: what waited for it need not wait any longer."""
    now = timezone.now()
    idle = Q(leased_until=None) | Q(leased_until__lte=now)
    DueRoom.objects.filter(idle, server_id=server_id, due_at__gt=now).update(due_at=now)


def due(*, now: datetime, limit: int = 500) -> Iterable[tuple[int, str]]:
    """The rooms that are due now, longest waiting first; those of a server that is down or does
    not answer its API wait until it does."""
    answers = {"server__down_since": None, "server__failing_since": None}
    return (
        DueRoom.objects.filter(due_at__lte=now, **answers)
        .order_by("due_at")
        .values_list("server_id", "room")[:limit]
    )
