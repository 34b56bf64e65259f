"""What the workers do. Tasks ask, they do not assume: each may come twice, late, or for nothing."""

from celery import shared_task
from django.utils import timezone

from voice import due, pins, queue, rights
from voice.settlement import settle_room
from voice.states import endings


@shared_task
def settle(server_id: int, room: str) -> None:
    """Make LiveKit agree about one room, if it is due."""
    settle_room(server_id=server_id, room=room)


@shared_task
def settle_due_rooms() -> None:
    """Find what a lost message meant: rights that may have changed, and every room that is due."""
    rights.drain()
    for server_id, room in due.due(now=timezone.now()):
        queue.after_commit("voice.tasks.settle", server_id, room)


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
    """Seats that lapsed, pins whose time has come or that nobody timed, what may be forgotten."""
    now = timezone.now()
    for channel_id in endings.lapsed(now=now):
        endings.lapse(channel_id=channel_id)
    for channel_id in pins.due_for_expiry(now=now):
        pins.expire(channel_id=channel_id)
    for channel_id in pins.forgotten(now=now):
        pins.time(channel_id=channel_id)
    endings.forget(now=now)
