"""How calls are made from ordinary threads: one now, or many together."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial, update_wrapper
from typing import Generic, ParamSpec, TypeVar

from fluxer.livekit import loop
from fluxer.livekit.calls import Call, ask
from fluxer.livekit.errors import LiveKitError, LiveKitNotAsked, LiveKitUnavailable

P = ParamSpec("P")
T = TypeVar("T")


class Verb(Generic[P, T]):
    """A function that describes a call, made into one that makes it.

    `.later(...)` only describes it."""

    def __init__(self, describe: Callable[P, Call[T]]) -> None:
        self.later = describe
        update_wrapper(self, describe)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        call = self.later(*args, **kwargs)
        try:
            return loop.run(ask(call), within=call.timeout)
        except TimeoutError:
            raise _not_asked(call) from None


def together(
    calls: Iterable[Call[T]], *, limit: int = 50, within: float | None = None
) -> list[T | LiveKitError]:
    """Every call's answer or its error, in the order of the calls; none of them raises.

    At most `limit` of them are under way on each server, and a call's deadline begins with its
    turn: a server that hangs holds up only its own. What is not done `within` so many seconds
    altogether is LiveKitUnavailable.
    """
    waiting = list(calls)
    if not waiting:
        return []
    longest = sum(call.timeout for call in waiting)
    try:
        return loop.run(_all(waiting, limit, within), within=longest)
    except TimeoutError:
        return [_not_asked(call) for call in waiting]


async def _all(calls: list[Call[T]], limit: int, within: float | None) -> list[T | LiveKitError]:
    until = None if within is None else time.monotonic() + within
    turns: defaultdict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, limit))

    async def outcome(call: Call[T]) -> T | LiveKitError:
        async with turns[call.server.api_url]:
            left = call.timeout if until is None else until - time.monotonic()
            if left <= 0:
                return LiveKitUnavailable(f"{call.method} had no turn in time", timed_out=True)
            try:
                return await ask(replace(call, timeout=min(call.timeout, left)))
            except LiveKitError as error:
                return error

    return list(await asyncio.gather(*(outcome(call) for call in calls)))


def _not_asked(call: Call[T]) -> LiveKitNotAsked:
    return LiveKitNotAsked(f"{call.method} was not asked: this process is too busy")
