"""Plays one act at a time; but one that asks LiveKit something may be stopped there, and others
are played before it goes on.

Each depth of acts has a thread and a database connection of its own, so what an act has not
committed the others do not see, and what it has locked they wait for. The others are played while
a fake server holds the question or the answer back: nothing of ours is replaced for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from django.db import connections

from tests.livekit.fake_faults import Fault
from tests.weave import machines, people
from tests.weave.world import TICK, World

Act = Callable[[World], None]

DEEPEST = 2  # acts that are stopped at the same time
MEANWHILE = (0, 0, 1, 1, 2)  # acts that are played while one is stopped
STOPS = 3  # a settle asks two things, one after the other; a sweep, of two servers, four
LONGEST = 60  # seconds that an act may take in truth
ABREAST = 0.003  # seconds after which what is asked together has come, if no more comes
_BEFORE = {"held": "does what is asked", "kept": "answers"}

GENTLE: Sequence[tuple[float, Act]] = [
    *((5, people.ask), (6, people.join), (3, people.come_again), (3, people.change)),
    *((3, people.move), (2, people.mute), (12, people.deliver), (2, people.lose)),
    *((6, machines.settle), (3, machines.sweep), (2, machines.tidy), (2, machines.probe)),
    *((0.7, machines.split), (1.5, machines.set_clock), (0.5, machines.answer_wrongly)),
]
CALM = [*GENTLE, (6.0, people.enter), (6.0, machines.wait_briefly)]
WILD = [
    *GENTLE,
    *((3.0, people.leave), (2.0, people.vanish), (6.0, machines.wait)),
    *((0.4, people.change_region), (0.4, people.disconnect_all), (0.7, machines.change_rights)),
    *((0.5, machines.restart), (0.2, machines.drain_or_restore)),
]


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an act is stopped: before what it asks next is done, or before the answer."""

    kind: Literal["held", "kept"]
    meanwhile: Sequence[Callable[[Weaver], None]] = ()


class Weaver:
    """`play` an act, or a `step`: one that the dice choose, of `acts`."""

    def __init__(self, stack: ExitStack, world: World) -> None:
        self.world = world
        self.acts: Sequence[tuple[float, Act]] = WILD
        self._hands = [ThreadPoolExecutor(1) for _ in range(DEEPEST + 1)]
        for hand in self._hands:
            stack.callback(_let_go, hand)

    def step(self) -> None:
        dice = self.world.dice
        [act] = dice.choices([act for _, act in self.acts], [weight for weight, _ in self.acts])
        stops = []
        if self.world.depth < DEEPEST:
            stops = [
                Stop(dice.choice(("held", "kept")), [Weaver.step] * dice.choice(MEANWHILE))
                for _ in range(STOPS)
            ]
        self.play(act, *stops)

    def play(self, act: Act, *stops: Stop) -> None:
        """The act, stopped at the first things that it asks, as far as it asks any. Raises what it
        does."""
        world, waiting = self.world, list(stops)
        world.later(TICK)
        fault = self._hold_back(waiting)
        task = self._hands[world.depth].submit(act, world)
        while fault is not None:
            _wait_for_either(task, fault)
            held, fault = fault, None
            if held.hits:
                held.times = _all_that_came(held)  # what others ask meanwhile is answered
                self._meanwhile(waiting.pop(0), held.times)
                fault = self._hold_back(waiting)
            held.stop()
        task.result(LONGEST)
        world.look()

    def _hold_back(self, waiting: Sequence[Stop]) -> Fault | None:
        """What holds back whatever is asked next, and what is asked together with it."""
        if not waiting:
            return None
        fault = Fault(waiting[0].kind)
        for fake in self.world.fakes:
            fake.faults.add(fault)
        return fault

    def _meanwhile(self, stop: Stop, calls: int) -> None:
        """How many calls are stopped is for a clock to say: the log of a run that differs from
        another of its seed shows where it began to."""
        told = f"stopped before LiveKit {_BEFORE[stop.kind]}: {calls} calls"
        if not stop.meanwhile:
            self.world.say(told)
            return
        self.world.say("[", told)
        self.world.depth += 1
        for step in stop.meanwhile:
            step(self)
        self.world.depth -= 1
        self.world.say("]")


def _all_that_came(fault: Fault) -> int:
    """How many calls are held back, once no more have come for a moment."""
    came = 0
    while came < fault.hits:
        came = fault.hits
        time.sleep(ABREAST)
    return came


def _wait_for_either(task: Future[None], fault: Fault) -> None:
    """Until the act is stopped, or is over and asked nothing (more)."""
    task.add_done_callback(lambda _: fault.struck.set())
    assert fault.struck.wait(LONGEST), "an act does not end"


def _let_go(hand: ThreadPoolExecutor) -> None:
    hand.submit(connections.close_all).result()
    hand.shutdown()
