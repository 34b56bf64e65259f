"""Voice minute by minute, for a day. The only module that writes Sample."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Q, Sum

from voice.models import EndedConnection, Sample, VoiceState
from voice.rooms import parse_identity

KEPT = timedelta(hours=24)
_HOUR = timedelta(hours=1)


def take(*, now: datetime) -> bool:
    """Count what is there now, once a minute, and forget what is older than a day."""
    minute = now.replace(second=0, microsecond=0)
    if Sample.objects.filter(pk=minute, taken_at__isnull=False).exists():
        return False
    live = Q(joined_at__isnull=False) | Q(seat_until__gt=now)
    states = VoiceState.objects.filter(live)
    counted = {
        "taken_at": now,
        "connected": states.filter(joined_at__isnull=False).count(),
        "seats": states.filter(joined_at=None).count(),
        "rooms": states.aggregate(rooms=Count("channel", distinct=True))["rooms"],
    }
    Sample.objects.update_or_create(pk=minute, defaults=counted)
    Sample.objects.filter(pk__lt=now - KEPT).delete()
    return True


def stranger_removed(*, identity: str, now: datetime) -> bool:
    """Count somebody who was put out of LiveKit, and whom no token of ours let in.

    False: it was a connection of ours, which had ended or belongs elsewhere.
    """
    known = parse_identity(identity)
    if known and any(
        model.objects.filter(pk=known.connection_id).exists()
        for model in (VoiceState, EndedConnection)  # in the order in which one becomes the other
    ):
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO voice_sample (minute, connected, seats, rooms, strangers)
            VALUES (%s, 0, 0, 0, 1)
            ON CONFLICT (minute) DO UPDATE SET strangers = voice_sample.strangers + 1
            """,
            [now.replace(second=0, microsecond=0)],
        )
    return True


def strangers_of_the_last_hour(*, now: datetime) -> int:
    """How many were removed whom nobody knew."""
    lately = Sample.objects.filter(pk__gt=now - _HOUR)
    return int(lately.aggregate(total=Sum("strangers"))["total"] or 0)


def of_a_day(*, now: datetime) -> list[tuple[datetime, int]]:
    """Moments and how many were connected, oldest first."""
    day = Sample.objects.filter(pk__gte=now - KEPT, taken_at__isnull=False).order_by("pk")
    return list(day.values_list("pk", "connected"))
