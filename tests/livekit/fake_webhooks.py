"""Webhooks as LiveKit sends them: signed JSON, in order; or as badly as a test likes."""

from __future__ import annotations

import random
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from livekit.protocol.webhook import WebhookEvent

from tests.livekit.signed import CONTENT_TYPE, TOKEN_LIFE, Target, Webhook, encode, post_to, sign

LANES = 8


@dataclass
class Rule:
    """What happens to the webhooks of one kind: one entry in `delays` per delivery, none = lost."""

    event: str | None
    delays: tuple[float, ...]
    times: int | None = None
    chance: float = 1.0

    def takes(self, event: str) -> bool:
        if self.event not in (None, event) or self.times == 0 or random.random() >= self.chance:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Webhooks:
    """The sender. Without a target, events are only kept in `sent`.

    In the foreground they are delivered by whoever acts on the fake (a test's own thread and
    transaction), the ones that API calls caused with the next `deliver()`; in the background by
    threads, in order within each room, again after 1, 2, 4 and 8 `retry_wait`s when not taken.
    """

    def __init__(self, *, key: str, secret: str) -> None:
        self.key, self.secret = key, secret
        self._sent: list[Webhook] = []
        self.rules: list[Rule] = []
        self.on = True
        self.retries, self.retry_wait = 4, 1.0
        self._target: Target | None = None
        self._background = False
        self._changed = threading.Condition(threading.RLock())
        self._delivering = threading.RLock()
        self._waiting: list[tuple[float, int, Webhook]] = []
        self._held: list[Webhook] | None = None
        self._order = 0
        self._busy = 0
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def sent(self) -> list[Webhook]:
        """Every webhook that was sent; those made too while there is nowhere to send them."""
        if self._target is None:
            self.deliver()
        return self._sent

    # where to

    def off(self) -> None:
        self.on = False

    def to(self, target: Target, *, background: bool = False) -> None:
        """Deliver to a callable: (body, headers) -> status."""
        self._target, self.on, self._background = target, True, background
        if background and not self._threads:
            self._threads = [
                threading.Thread(
                    target=self._work, args=(lane,), daemon=True, name=f"webhooks-{lane}"
                )
                for lane in range(LANES)
            ]
            for thread in self._threads:
                thread.start()

    def to_url(self, url: str, *, background: bool = True) -> None:
        self.to(post_to(url), background=background)

    # how badly

    def drop(
        self, event: str | None = None, *, times: int | None = None, chance: float = 1
    ) -> Rule:
        return self._rule(Rule(event, (), times, chance))

    def double(
        self, event: str | None = None, *, times: int | None = None, chance: float = 1
    ) -> Rule:
        return self._rule(Rule(event, (0, 0), times, chance))

    def delay(
        self,
        seconds: float,
        event: str | None = None,
        *,
        times: int | None = None,
        chance: float = 1,
    ) -> Rule:
        return self._rule(Rule(event, (seconds,), times, chance))

    @contextmanager
    def held(self) -> Iterator[list[Webhook]]:
        """Keep what is made meanwhile in a list, for `send` in any order; the rest is lost."""
        held: list[Webhook] = []
        self._held = held
        try:
            yield held
        finally:
            self._held = None

    # making and sending

    def make(
        self,
        event: WebhookEvent,
        *,
        key: str | None = None,
        secret: str | None = None,
        life: float = TOKEN_LIFE,
    ) -> Webhook:
        body = encode(event)
        token = sign(body, key=key or self.key, secret=secret or self.secret, life=life)
        return Webhook(event, body, {"Content-Type": CONTENT_TYPE, "Authorization": token})

    def emit(self, event: WebhookEvent) -> None:
        """What the server wants to tell, through the rules, to be delivered."""
        if not self.on:
            return
        webhook = self.make(event)
        with self._changed:
            if self._held is not None:
                self._held.append(webhook)
                return
            rule = next((rule for rule in self.rules if rule.takes(event.event)), None)
            for delay in rule.delays if rule else (0.0,):
                self._order += 1
                self._waiting.append((time.monotonic() + delay, self._order, webhook))
            self._changed.notify_all()

    def send(self, webhook: Webhook) -> int:
        """Deliver this one now, whatever the rules: the status it got, 0 for no answer."""
        status = self._target(webhook.body, webhook.headers) if self._target is not None else 0
        webhook.statuses.append(status)
        if len(webhook.statuses) == 1:
            self._sent.append(webhook)
        return status

    def deliver(self, *, late_ones_too: bool = False) -> None:
        """Deliver all that is due, in this thread and in order, and all that follows from it."""
        with self._delivering:
            while webhook := self._next(None, late_ones_too):
                self.send(webhook)

    def acted(self) -> None:
        if not self._background:
            self.deliver()

    def settled(self, timeout: float = 10) -> bool:
        """Wait until the threads have delivered everything. False: they have not."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=2)

    # the threads

    def _rule(self, rule: Rule) -> Rule:
        self.rules.append(rule)
        return rule

    def _next(self, lane: int | None, late_ones_too: bool = False) -> Webhook | None:
        with self._changed:
            now = time.monotonic()
            due = [
                entry
                for entry in self._waiting
                if (late_ones_too or entry[0] <= now) and lane in (None, _lane(entry[2]))
            ]
            if not due:
                return None
            entry = min(due, key=lambda entry: entry[:2])
            self._waiting.remove(entry)
            self._busy += lane is not None
            return entry[2]

    def _work(self, lane: int) -> None:
        while not self._closed:
            webhook = self._next(lane)
            if webhook is None:
                with self._changed:
                    self._changed.wait(0.02)
                continue
            try:
                self._persist(webhook)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _persist(self, webhook: Webhook) -> None:
        for attempt in range(self.retries + 1):
            status = self.send(webhook)
            if self._closed or not (status == 0 or status == 429 or status >= 500):
                return
            time.sleep(self.retry_wait * 2**attempt)


def _lane(webhook: Webhook) -> int:
    return zlib.crc32(webhook.event.room.name.encode()) % LANES
