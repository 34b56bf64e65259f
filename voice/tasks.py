"""What the workers do. Tasks ask, they do not assume: each may come twice, late, or for nothing."""

import logging
from collections.abc import Callable, Iterable

from celery import shared_task
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from regions.models import Server
from voice import failover, pins, queue, rights, samples, waiting
from voice import sweep as sweeping
from voice.settlement import settle_room
from voice.states import endings

log = logging.getLogger(__name__)

MORE = 50  # rooms that one task settles besides its own
PATIENCE = 3  # of them in a row that others were faster to take


@shared_task
def settle(server_id: int, room: str) -> None:
    """Make LiveKit agree about one room, if it is due; then about others of that server, whose
    own tasks found no place free and gave up.

    In turn the most urgent one and the one that has waited longest: a kick does not wait behind a
    hundred rooms of a role edit, and none of those waits for ever.
    """
    if not settle_room(server_id=server_id, room=room):
        return
    missed: list[str] = []
    for turn in range(MORE):
        now, is_urgent = timezone.now(), turn % 2 == 0
        rooms = waiting.due(now=now, server_id=server_id, urgent=is_urgent, but=missed)
        other = rooms.first()
        if other is None or len(missed) > PATIENCE:
            return
        if settle_room(server_id=server_id, room=other[1]):
            missed.clear()
        else:
            missed.append(other[1])


@shared_task
def settle_due_rooms() -> None:
    """Find what a lost message meant: rooms that are due, and rights that may have changed. The
    rooms first: rights may have to wait for locks, and their rooms ask for themselves."""
    for server_id, room in waiting.first(now=timezone.now()):
        queue.after_commit("voice.tasks.settle", server_id, room)
    rights.drain()


@shared_task
def sweep() -> None:
    """Every server, drained and inactive ones too, each by a task of its own; not those down."""
    answering = Server.objects.filter(down_since=None).values_list("pk", flat=True)
    for server_id in answering:
        sweep_server.apply_async([server_id], queue="sweep", expires=settings.VOICE_SWEEP_INTERVAL)


@shared_task
def sweep_server(server_id: int) -> None:
    """Compare one server with us; the rooms that differ are settled."""
    sweeping.sweep(server_id=server_id)


@shared_task
def expire_pin(channel_id: int) -> None:
    """Unpin a channel whose time has come, unless somebody came back."""
    pins.expire(channel_id=channel_id)


@shared_task
def drain_rights_changes() -> None:
    """Recompute the rights that may have changed."""
    rights.drain()


@shared_task
def tidy() -> None:
    """Seats that lapsed, servers that stay away, pins whose time has come or that nobody timed,
    what may be forgotten; and once a minute a count."""
    now = timezone.now()
    _each(failover.give_up, server_id=failover.lost(now=now))
    _each(endings.lapse, channel_id=endings.lapsed(now=now))
    _each(pins.expire, channel_id=pins.due_for_expiry(now=now))
    _each(pins.time, channel_id=pins.forgotten(now=now))
    endings.forget(now=now)
    samples.take(now=now)


def _each(verb: Callable[..., object], **ids: Iterable[int]) -> None:
    """The verb for each id. One that is held by somebody for too long does not stop the others."""
    [(name, values)] = ids.items()
    for value in values:
        try:
            verb(**{name: value})
        except OperationalError as error:
            log.warning("%s=%s waits for the next time: %s", name, value, error)
