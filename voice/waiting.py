"""Which rooms wait to be settled, for those who look for them."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from voice.due import AT_ONCE, idle, longest
from voice.models import DueRoom

_LONGEST = ("due_at", "pk")
_URGENT = (F("urgent_since").asc(nulls_last=True), *_LONGEST)


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
    urgent: bool = False,
    but: Collection[str] = (),
) -> "QuerySet[DueRoom, tuple[int, str]]":
    """The rooms that are due now, of one server or of all, without those named in `but`: who has
    waited longest first; or, with `urgent`, those before the others that were asked for by
    themselves."""
    rooms = _waiting(now).exclude(room__in=but)
    if server_id is not None:
        rooms = rooms.filter(server=server_id)
    return rooms.order_by(*(_URGENT if urgent else _LONGEST)).values_list("server_id", "room")


def first(*, now: datetime) -> Iterable[tuple[int, str]]:
    """Of each server the most urgent room, and of those that have waited longest as many as may be
    settled at the same time: whoever has settled one of them goes on with the others, and a server
    with many holds nobody else up."""
    return (
        _waiting(now)
        .annotate(
            urgent=Window(RowNumber(), partition_by="server_id", order_by=_URGENT),
            turn=Window(RowNumber(), partition_by="server_id", order_by=_LONGEST),
        )
        .filter(Q(urgent=1) | Q(turn__lte=AT_ONCE))
        .order_by("urgent", "turn", "due_at")
        .values_list("server_id", "room")
    )
