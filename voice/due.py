"""Rooms to be compared with LiveKit. The only module that writes DueRoom.

A row is a promise: it stays until a settle has seen LiveKit agree.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Expression, F, Func, Q, QuerySet, TextField, Value
from django.utils import timezone

from regions.models import Server
from voice import queue
from voice.models import DueRoom

log = logging.getLogger(__name__)

AT_ONCE = 2  # rooms of one server that are settled at the same time
FEW = 10  # rooms that are marked at the same time and are no crowd
SPARE = timedelta(seconds=4)  # for what a settle does besides waiting for LiveKit
_CLAIMS = 0x636C616D  # "clam"; an arbitrary number that nobody else locks with a server's


def lease() -> timedelta:
    """How long a claimed room is left to its worker: just longer than the deadlines of a settle,
    so that the room of a worker that died is soon taken by the next.

    A settle waits for LiveKit twice, to list and then to change. One that takes longer than its
    lease, because locks were not to be had, may be crossed by another: that costs calls, and no
    truth.
    """
    return timedelta(seconds=2 * settings.LIVEKIT_TIMEOUT) + SPARE


def longest() -> timedelta:
    """Further ahead nobody writes a time: one that is was written before a clock was set back."""
    intervals = settings.VOICE_SWEEP_INTERVAL + settings.VOICE_PROBE_INTERVAL
    return 2 * (lease() + timedelta(seconds=intervals + settings.VOICE_GHOST_GRACE))


def mark(*rooms: tuple[int, str], is_crowd: bool = False) -> None:
    """These (server id, room name) pairs are due, and settled soon after commit. A crowd, here more
    than a FEW, lets those go before that were asked for by themselves.

    Call it last in the transaction that made it necessary. Sorted, so that no two markers wait
    for each other; the new mark keeps a settle that is under way from forgetting this one.
    """
    now, pairs = timezone.now(), sorted(set(rooms))
    urgent_since = None if is_crowd or len(pairs) > FEW else now
    for server_id, room in pairs:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO voice_dueroom
                    (server_id, room, due_at, urgent_since, mark, attempts, since)
                VALUES (%s, %s, %s, %s, %s, 0, now())
                ON CONFLICT (server_id, room) DO UPDATE
                SET due_at = least(voice_dueroom.due_at, excluded.due_at),
                    urgent_since = coalesce(voice_dueroom.urgent_since, excluded.urgent_since),
                    mark = excluded.mark, attempts = 0
                """,
                [server_id, room, now, urgent_since, uuid.uuid4()],
            )
        queue.after_commit("voice.tasks.settle", server_id, room)


def found(*rooms: tuple[int, str]) -> None:
    """A sweep saw these rooms differ. One statement, whatever their number; it waits so shortly
    for who writes one of them, in whatever order, that it is part of no deadlock. Where that does
    not do, each for itself.

    A room that failed keeps its back-off, unless somebody is at it: then their listing may be
    older than what was seen.
    """
    if not rooms:
        return
    pairs = sorted(set(rooms))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '100ms'")
            _found(pairs)
    except OperationalError:  # somebody is writing one of them
        pairs = [pair for pair in pairs if _found_alone(pair)]
    for server_id, room in pairs:
        queue.after_commit("voice.tasks.settle", server_id, room)


def _found_alone(pair: tuple[int, str]) -> bool:
    try:
        _found([pair])
    except OperationalError as error:
        # The next sweep sees it again.
        log.warning("room %s differs, and is held by somebody: %s", pair[1], error)
        return False
    return True


def _found(pairs: Sequence[tuple[int, str]]) -> None:
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


@transaction.atomic
def claim(*, server_id: int, room: str, now: datetime) -> DueRoom | None:
    """The room for this worker, for its lease; None when it is not due, somebody is writing it,
    another worker has it (and finds a new mark when it is done), or AT_ONCE rooms of this server
    are being settled already."""
    # A room that somebody is writing is not waited for: they may hold it for long, and this would
    # hold up all other rooms of the server.
    server = Server.objects.annotate(turn=_turn()).filter(pk=server_id).first()
    if server is None or server.down_since is not None or server.failing_since is not None:
        return None  # it waits for the server's return, and takes no worker's time until then
    rows = DueRoom.objects.raw(
        """
        UPDATE voice_dueroom SET due_at = %(until)s, leased_until = %(until)s, mark = %(mark)s
        WHERE id = (
            SELECT id FROM voice_dueroom
            WHERE server_id = %(server)s AND room = %(room)s
            AND (due_at <= %(now)s OR due_at > %(longest)s)
            AND (leased_until IS NULL OR leased_until <= %(now)s OR leased_until > %(longest)s)
            FOR NO KEY UPDATE SKIP LOCKED)
        AND (SELECT count(*) FROM voice_dueroom WHERE server_id = %(server)s
             AND leased_until > %(now)s AND leased_until <= %(longest)s) < %(at_once)s
        RETURNING *
        """,
        {
            "until": now + lease(),
            "mark": uuid.uuid4(),
            "server": server_id,
            "room": room,
            "now": now,
            "longest": now + longest(),
            "at_once": AT_ONCE,
        },
    )
    claimed = next(iter(rows), None)
    if claimed is not None:
        claimed.server = server
    return claimed


def idle(now: datetime) -> Q:
    """Of the rooms, those that no worker is at."""
    return Q(leased_until=None) | Q(leased_until__lte=now) | Q(leased_until__gt=now + longest())


def _turn() -> Expression:
    """One claim of a server at a time: two would each count without the other. Not by the lock of
    its row, which others write."""
    key = (Value(_CLAIMS), Func(F("pk"), function="hashint8"))
    return Func(*key, function="pg_advisory_xact_lock", output_field=TextField())


def done(due: DueRoom) -> bool:
    """LiveKit agrees. False when the room was marked again meanwhile: then it stays due."""
    deleted, _ = DueRoom.objects.filter(pk=due.pk, mark=due.mark).delete()
    if not deleted:  # the lease is given back, if it is still this one
        DueRoom.objects.filter(pk=due.pk, leased_until=due.leased_until).update(leased_until=None)
    return deleted == 1


def again(due: DueRoom, *, at: datetime, failed: bool = False) -> bool:
    """Look once more at `at`; a failure counts, and is as urgent as before. False when it was
    marked again meanwhile: then it is due sooner.

    Whoever settled the room meanwhile cannot have seen what this worker sent: a row that they
    deleted comes back, and one that they hold is not theirs to delete.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO voice_dueroom AS d
                (server_id, room, due_at, urgent_since, mark, attempts, since)
            VALUES (%(server)s, %(room)s, %(at)s, %(urgent)s, %(new)s, %(attempts)s, %(since)s)
            ON CONFLICT (server_id, room) DO UPDATE SET
                due_at = CASE WHEN d.mark = %(mark)s THEN excluded.due_at
                    ELSE least(d.due_at, excluded.due_at) END,
                urgent_since = CASE WHEN d.mark = %(mark)s THEN excluded.urgent_since
                    ELSE d.urgent_since END,
                attempts = CASE WHEN d.mark = %(mark)s THEN excluded.attempts
                    ELSE d.attempts END,
                leased_until = CASE WHEN d.leased_until = %(lease)s THEN NULL
                    ELSE d.leased_until END,
                mark = excluded.mark
            RETURNING due_at
            """,
            {
                "server": due.server_id,
                "room": due.room,
                "at": at,
                "mark": due.mark,
                "new": uuid.uuid4(),
                "attempts": due.attempts + 1 if failed else 0,
                "since": due.since,
                "urgent": due.urgent_since if failed else None,
                "lease": due.leased_until,
            },
        )
        due_at: datetime = cursor.fetchone()[0]
    return due_at >= at


def put_off(*, server_id: int, until: datetime) -> None:
    """All due rooms of a server that hangs wait: a kick elsewhere must not."""
    _set_due_at(DueRoom.objects.filter(server_id=server_id, due_at__lt=until), until)


def wake(*, server_id: int) -> None:
    """The server answers again: what waited for it need not wait any longer."""
    now = timezone.now()
    _set_due_at(DueRoom.objects.filter(idle(now), server_id=server_id, due_at__gt=now), now)


@transaction.atomic
def _set_due_at(rooms: "QuerySet[DueRoom]", due_at: datetime) -> None:
    """Many rooms in one statement, in whatever order they are found. Those that somebody is
    writing are left out: who waits for nobody is part of no deadlock, with markers and deletions
    that hold one room and want the next. Whoever writes them says when they are due."""
    free = rooms.order_by().select_for_update(skip_locked=True, no_key=True)
    DueRoom.objects.filter(pk__in=free.values("pk")).update(due_at=due_at)
