"""What the chat product hears of us: a Redis stream, after commit, best effort.

Never a reason for a request to fail, nor to be slow: a short deadline, and a pause after a
failure. The lists are the truth; `version` shows a gap.
"""

import json
import logging
import time
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from fluxer import counters
from voice.objects import Remembered, voice_state

log = logging.getLogger(__name__)

STREAM = "voice:events"
LENGTH = 100_000
_DEADLINE = 0.25
_PAUSE = 2.0
_quiet_until = 0.0


@dataclass(slots=True)
class Event:
    """One entry of the stream. Ids are decimal strings, absent ones empty."""

    type: str
    guild_id: int | None
    channel_id: int | None
    user_id: int | None
    data: dict[str, Any]
    at: str = field(default_factory=lambda: timezone.now().isoformat())

    def entry(self) -> dict[str, str]:
        """The stream's fields and values."""
        ids = {name: getattr(self, name) for name in ("guild_id", "channel_id", "user_id")}
        texts = {name: "" if value is None else str(value) for name, value in ids.items()}
        return {"type": self.type, "at": self.at, **texts, "data": json.dumps(self.data)}


def state_changed(kept: Remembered, *, guild_id: int | None, is_over: bool = False) -> None:
    """VOICE_STATE_UPDATE: the object as it is now; `channel_id` null when the connection ended."""
    data = voice_state(kept, guild_id=guild_id, is_over=is_over)
    _after_commit(Event("VOICE_STATE_UPDATE", guild_id, kept.channel_id, kept.user_id, data))


def server_changed(
    *, guild_id: int | None, channel_id: int, user_id: int, connection_id: str, reason: str
) -> None:
    """VOICE_SERVER_UPDATE: this connection should fetch a token in this channel.

    `reason`: moved, region_changed or failed_over.
    """
    data = {"connection_id": connection_id, "channel_id": str(channel_id), "reason": reason}
    _after_commit(Event("VOICE_SERVER_UPDATE", guild_id, channel_id, user_id, data))


def channel_changed(*, guild_id: int | None, channel_id: int, data: dict[str, Any]) -> None:
    """CHANNEL_UPDATE: the channel as `GET /channels/{id}` shows it."""
    _after_commit(Event("CHANNEL_UPDATE", guild_id, channel_id, None, data))


def _after_commit(event: Event) -> None:
    """One write for all the events of a transaction: the first registers, the others join it."""
    if not connection.in_atomic_block:
        _publish([event])
        return
    here = set(connection.savepoint_ids)
    for savepoints, function, *_ in connection.run_on_commit:
        # Only those of this very savepoint: what is rolled back must take its events along.
        is_here = savepoints == here
        if is_here and isinstance(function, partial) and function.func is _publish:
            function.args[0].append(event)
            return
    transaction.on_commit(partial(_publish, [event]), robust=True)


def _publish(events: list[Event]) -> None:
    global _quiet_until
    if time.monotonic() < _quiet_until:
        _lost(events)
        return
    try:
        pipeline = _redis(settings.REDIS_URL).pipeline(transaction=False)
        for event in events:
            pipeline.xadd(STREAM, event.entry(), maxlen=LENGTH, approximate=True)  # type: ignore[arg-type]
        pipeline.execute()
    except (redis.RedisError, OSError) as error:
        _quiet_until = time.monotonic() + _PAUSE
        _lost(events)
        log.warning("%s events lost: Redis is away (%s)", len(events), type(error).__name__)


def _lost(events: list[Event]) -> None:
    for event in events:
        counters.events_lost.labels(event.type).inc()


@lru_cache(maxsize=4)
def _redis(url: str) -> "redis.Redis":
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=_DEADLINE,
        socket_timeout=_DEADLINE,
        retry=Retry(NoBackoff(), 0),
    )
