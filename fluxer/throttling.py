"""How often one may ask: fixed windows, of ten seconds for a user, counted in Redis."""

import logging
import time
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from fluxer.directory.models import User

log = logging.getLogger(__name__)

WINDOW = 10  # seconds
DEADLINE = 0.15  # seconds, for the connection and for the answer each
FORGET = 2.0  # seconds for which a Redis that failed is not asked again

# One step, so that no key is ever left without an end.
_COUNT = """
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    left = tonumber(ARGV[1])
end
return {count, left}
"""


class WindowThrottle(BaseThrottle):
    """Counts every request of a view's `throttle_scope` (a key of RATELIMIT), refused ones too."""

    def __init__(self) -> None:
        self._left = float(WINDOW)

    def allow_request(self, request: Request, view: Any) -> bool:
        scope = getattr(view, "throttle_scope", None)
        limit = settings.RATELIMIT[scope] if scope else 0
        caller: Any = request.user
        if not limit or not isinstance(caller, User):
            return True
        count, self._left = counted(f"fluxer:rate:{scope}:{caller.pk}")
        return count <= limit

    def wait(self) -> float:
        return self._left


class _Redis:
    """Redis with a short patience: a failure is remembered, so that not every request pays it."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_connect_timeout=DEADLINE,
            socket_timeout=DEADLINE,
            retry=Retry(NoBackoff(), 0),
        )
        self._away_until = 0.0

    def count(self, key: str, window: float) -> tuple[int, float]:
        if time.monotonic() < self._away_until:
            return 0, 0.0
        try:
            count, left = self._client.eval(_COUNT, 1, key, round(window * 1000))
        except (redis.RedisError, OSError) as error:
            self._away_until = time.monotonic() + FORGET
            log.warning("no rate limits: Redis is away (%s)", type(error).__name__)
            return 0, 0.0
        return int(count), int(left) / 1000


@lru_cache(maxsize=4)
def _redis(url: str) -> _Redis:
    return _Redis(url)


def counted(key: str, *, window: float = WINDOW) -> tuple[int, float]:
    """How many requests this window has seen with this one, and the seconds until it ends.

    `window`: its seconds. (0, 0) when Redis is away.
    """
    return _redis(settings.REDIS_URL).count(key, window)
