"""Whose turn it is to sweep a server: two beats, or a beat and an operator, do it once.

Kept in PostgreSQL, because Redis may be emptied or away.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from voice.models import Sweep

SPARE = timedelta(seconds=4)  # for what a sweep does besides waiting for LiveKit


def lease() -> timedelta:
    """How long a turn is left to its worker: just longer than the deadlines of a sweep (the rooms,
    twice; the first listings, the rest of them within an interval)."""
    return timedelta(seconds=3 * settings.LIVEKIT_TIMEOUT + settings.VOICE_SWEEP_INTERVAL) + SPARE


def take(*, server_id: int, now: datetime) -> bool:
    """The turn is ours. False: somebody sweeps this server now, or has only just done so."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO voice_sweep (server_id, leased_until)
            SELECT id, %(until)s FROM regions_server WHERE id = %(server)s
            ON CONFLICT (server_id) DO UPDATE SET leased_until = excluded.leased_until
            WHERE voice_sweep.leased_until <= %(now)s OR voice_sweep.leased_until > %(never)s
            """,
            {
                "server": server_id,
                "now": now,
                "until": now + lease(),
                "never": now + 2 * lease(),  # written before a clock was set back
            },
        )
        return cursor.rowcount == 1


def give_back(*, server_id: int, begun_at: datetime, complete: bool) -> None:
    """The next turn may begin half an interval after this one did; unless this one took so long
    that somebody else has a turn now."""
    pause = timedelta(seconds=settings.VOICE_SWEEP_INTERVAL / 2)
    swept = {"swept_at": begun_at} if complete else {}
    ours = Sweep.objects.filter(server_id=server_id, leased_until=begun_at + lease())
    ours.update(leased_until=begun_at + pause, **swept)
