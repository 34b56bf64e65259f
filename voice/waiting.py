"""Which rooms wait to be settled, for those who look for them."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet, Window
from django.db.models.functions import RowNumber

from voice.due import AT_ONCE
from voice.models import DueRoom


def _waiting(now: datetime) -> "QuerySet[DueRoom]":
    """Those that are due now and nobody is at; those of a server that is down or does not answer
    its API wait until it does."""
    idle = Q(leased_until=None) | Q(leased_until__lte=now)
    return DueRoom.objects.filter(
        idle, due_at__lte=now, server__down_since=None, server__failing_since=None
    )


def due(
    *, now: datetime, limit: int = 500, server_id: int | None = None
) -> Iterable[tuple[int, str]]:
    """The rooms that are due now, longest waiting first, of one server or of all."""
    rooms = _waiting(now)
    if server_id is not None:
        rooms = rooms.filter(server=server_id)
    return rooms.order_by("due_at").values_list("server_id", "room")[:limit]


def first(*, now: datetime) -> Iterable[tuple[int, str]]:
    """Of each server as many as may be settled at the same time: whoever has settled one of them
    goes on with the others, and a server with many holds nobody else up."""
    turn = Window(RowNumber(), partition_by="server_id", order_by="due_at")
    return (
        _waiting(now)
        .annotate(turn=turn)
        .filter(turn__lte=AT_ONCE)
        .order_by("turn", "due_at")
        .values_list("server_id", "room")
    )
