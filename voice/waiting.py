"""Which rooms wait to be settled, for those who look for them."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Q, QuerySet, Window
from django.db.models.functions import RowNumber

from voice.due import idle, longest
from voice.models import DueRoom

_OLDEST, _NEWEST = ("marked_at", "pk"), ("-marked_at", "-pk")


def _waiting(now: datetime) -> "QuerySet[DueRoom]":
    """Those that are due now and nobody is at; those of a server that is down or does not answer
    its API wait until it does."""
    is_due = Q(due_at__lte=now) | Q(due_at__gt=now + longest())
    return DueRoom.objects.filter(
        is_due, idle(now), server__down_since=None, server__failing_since=None
    )


def due(
    *,
    now: datetime,
    server_id: int | None = None,
    newest: bool = False,
    but: Collection[str] = (),
) -> "QuerySet[DueRoom, tuple[int, str]]":
    """The rooms that are due now, of one server or of all, without those named in `but`: who has
    waited longest first; or, with `newest`, who was asked for last."""
    rooms = _waiting(now).exclude(room__in=but)
    if server_id is not None:
        rooms = rooms.filter(server=server_id)
    order = _NEWEST if newest else _OLDEST
    return rooms.order_by(*order).values_list("server_id", "room")


def first(*, now: datetime) -> Iterable[tuple[int, str]]:
    """Of each server the room asked for last and the one that has waited longest, as many as may
    be settled at the same time: whoever has settled one of them goes on with the others, and a
    server with many holds nobody else up."""
    return (
        _waiting(now)
        .annotate(
            newest=Window(RowNumber(), partition_by="server_id", order_by=_NEWEST),
            oldest=Window(RowNumber(), partition_by="server_id", order_by=_OLDEST),
        )
        .filter(Q(newest=1) | Q(oldest=1))
        .order_by("newest", "marked_at")
        .values_list("server_id", "room")
    )
