"""What the worker would do by now, done here."""

from django.utils import timezone

from voice import rights, waiting
from voice.settlement import settle_room


def follow() -> None:
    """Drain the changes of rights and settle every room that is due."""
    rights.drain()
    for server_id, room in list(waiting.due(now=timezone.now())):
        settle_room(server_id=server_id, room=room)
