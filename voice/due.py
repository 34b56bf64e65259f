"""Rooms to be compared with LiveKit. The only module that writes DueRoom.

A row is a promise: it stays until a settle has seen LiveKit agree.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
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


def due(*, now: datetime, limit: int = 500) -> Iterable[tuple[int, str]]:
    """The rooms that are due now, longest waiting first; none of a server that is down."""
    return (
        DueRoom.objects.filter(due_at__lte=now, server__down_since=None)
        .order_by("due_at")
        .values_list("server_id", "room")[:limit]
    )
