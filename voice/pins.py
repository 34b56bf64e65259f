"""Which server a room lives on. The only module that writes RoomPin.

All of it under the channel's lock: a pin goes only when a count, made in a statement of its own
after the lock, finds nobody; otherwise a join and an expiry could each miss the other.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from voice import journal, queue
from voice.look import Pin
from voice.models import RoomPin, VoiceState

NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # LiveKit must be asked before anybody is sent there


def pin(*, channel_id: int, server_id: int, made_at: datetime, now: datetime) -> None:
    """The room lives on this server from now on, instead of any other."""
    # One statement; with the channel locked, nobody else writes this pin.
    RoomPin.objects.bulk_create(
        [
            RoomPin(
                channel_id=channel_id,
                server_id=server_id,
                pinned_at=now,
                made_at=made_at,
                expires_at=None,
            )
        ],
        update_conflicts=True,
        unique_fields=["channel"],
        update_fields=["server", "pinned_at", "made_at", "expires_at"],
    )
    journal.tell("pinned", channel_id=channel_id, server=server_id)


def keep(*, channel_id: int, made_at: datetime | None, expiring: bool) -> None:
    """Somebody came: the pin's timer stops; the room was made (or seen) at `made_at`, if given.

    Writes nothing where nothing changes, so that a busy room's token does not touch its pin.
    """
    changes = {
        **({"made_at": made_at} if made_at else {}),
        **({"expires_at": None} if expiring else {}),
    }
    if changes:
        RoomPin.objects.filter(channel_id=channel_id).update(**changes)


def hold(pinned: Pin | None, *, channel_id: int, server_id: int, now: datetime) -> None:
    """Somebody is in on this server: the room is pinned there, and no timer runs. `pinned` is
    what was read under the lock: nothing is written where it is so already."""
    if pinned is None:
        pin(channel_id=channel_id, server_id=server_id, made_at=now, now=now)
    elif pinned.expires_at is not None:
        keep(channel_id=channel_id, made_at=None, expiring=True)


def cool(*, channel_id: int, server_id: int) -> None:
    """LiveKit closed the room: the next token makes it again."""
    RoomPin.objects.filter(channel_id=channel_id, server_id=server_id).update(made_at=NEVER)


def seen(*, channel_id: int, server_id: int, at: datetime) -> None:
    """A listing begun at `at` showed the room."""
    RoomPin.objects.filter(channel_id=channel_id, server_id=server_id, made_at__lt=at).update(
        made_at=at
    )


def seen_all(*, channel_ids: Iterable[int], server_id: int, at: datetime) -> None:
    """The same of many rooms, in one statement. A pin that somebody is writing is left out, so
    that this never waits for two, nor anybody for the other of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE voice_roompin SET made_at = %(at)s WHERE channel_id IN (
                SELECT channel_id FROM voice_roompin
                WHERE server_id = %(server)s AND channel_id = ANY(%(channels)s::bigint[])
                    AND made_at < %(at)s
                FOR NO KEY UPDATE SKIP LOCKED)
            """,
            {"at": at, "server": server_id, "channels": list(channel_ids)},
        )


def let_go(*, channel_id: int, now: datetime) -> None:
    """Somebody left, under the channel's lock: if nobody is left, the pin begins to expire. A
    timer that runs already goes on: it was not they who held the room."""
    if is_occupied(channel_id=channel_id, now=now):
        return
    expires_at = now + timedelta(seconds=settings.VOICE_PIN_TIMEOUT)
    untimed = RoomPin.objects.filter(channel_id=channel_id, expires_at=None)
    if untimed.update(expires_at=expires_at):
        queue.after_commit(
            "voice.tasks.expire_pin", channel_id, countdown=settings.VOICE_PIN_TIMEOUT
        )


@transaction.atomic
def time(*, channel_id: int) -> None:
    """A pin that nobody uses and nobody timed begins to expire."""
    lock_channels([channel_id])
    let_go(channel_id=channel_id, now=timezone.now())


def is_occupied(*, channel_id: int, now: datetime) -> bool:
    """Anybody has a live connection there, or a seat and a token for it.

    A seat ahead of its token is on no server and holds no room: otherwise people who try again and
    again would keep a room for ever on a server that will not make it.
    """
    live = Q(joined_at__isnull=False) | Q(seat_until__gt=now)
    on_it = VoiceState.objects.filter(live, channel_id=channel_id, server__isnull=False)
    return on_it.exists()


@transaction.atomic
def expire(*, channel_id: int) -> bool:
    """Remove the pin if its time has come and nobody is in; True if it went.

    Late, early and repeated calls are harmless. Somebody who is in stops the timer instead.
    """
    lock_channels([channel_id])
    now = timezone.now()
    due = RoomPin.objects.filter(channel_id=channel_id, expires_at__lte=now)
    if is_occupied(channel_id=channel_id, now=now):
        due.update(expires_at=None)
        return False
    deleted, _ = due.delete()
    if deleted:
        journal.tell("unpinned", reason="expired", channel_id=channel_id)
    return bool(deleted)


def remove(*, channel_id: int) -> int | None:
    """The pin goes at once, under the channel's lock; the id of the server it named."""
    pin = RoomPin.objects.filter(channel_id=channel_id).first()
    if pin is None:
        return None
    pin.delete()
    journal.tell("unpinned", reason="removed", channel_id=channel_id, server=pin.server_id)
    return pin.server_id


def due_for_expiry(*, now: datetime) -> list[int]:
    """Channels whose pin's time has come; the net under the task that was lost."""
    return list(RoomPin.objects.filter(expires_at__lte=now).values_list("channel_id", flat=True))


def forgotten(*, now: datetime) -> list[int]:
    """Channels with a pin, nobody in, and no timer."""
    states = VoiceState.objects.filter(server__isnull=False).values("channel_id")
    return list(
        RoomPin.objects.filter(expires_at=None)
        .exclude(channel_id__in=states)
        .values_list("channel_id", flat=True)
    )
