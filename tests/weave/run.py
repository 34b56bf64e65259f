"""One weave, from the first act to the last disagreement."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from django.conf import settings
from django.test import override_settings

from tests.storm.judge import disagreements
from tests.weave import machines, people
from tests.weave.weaver import CALM, WILD, Weaver
from tests.weave.world import World
from voice.models import VoiceState

STEPS = 150
HASTE = 25  # steps of the wildest acts, and then twice as many that let people come in
ROUNDS = range(8, 20)  # of rest; by the first, every timer has run out
LATER = (1.1, 1.1, 1.1)  # seconds between a sweep's settles: each confirms the one before


@dataclass(frozen=True, slots=True)
class Result:
    """What was played, who was in at the end, and what was wrong: nothing, one hopes."""

    seed: int
    steps: int
    log: list[str]
    inside: int
    wrong: list[str]

    def __str__(self) -> str:
        stops = sum("[ " in line for line in self.log)
        seen = f"{len(self.log)} lines of log, {stops} acts stopped midway, {self.inside} are in"
        outcome = f"seed {self.seed}: {seen}, disagreements: {len(self.wrong)}"
        if not self.wrong:
            return outcome
        replay = f"python -m tests.weave --seed {self.seed} --steps {self.steps}"
        return "\n".join([*self.log, *(f"WRONG: {line}" for line in self.wrong), outcome, replay])


def weave(*, seed: int, steps: int = STEPS) -> Result:
    """On the current database, which must be empty but for its tables, and outside of any
    transaction: acts see what others have committed."""
    with ExitStack() as stack:
        # Long enough for what is played meanwhile, and a claim's lease short beside what passes.
        stack.enter_context(override_settings(LIVEKIT_TIMEOUT=5))
        world = World(stack, seed=seed)
        weaver = Weaver(stack, world)
        for number in range(steps):
            weaver.acts = CALM if number % (3 * HASTE) >= HASTE else WILD
            weaver.step()
        come_to_an_end(weaver)
        rest(weaver)
        found = world.wrong + [world.named(line) for line in judged(world)]
        inside = VoiceState.objects.filter(joined_at__isnull=False).count()
        return Result(seed, steps, world.log, inside, found)


def come_to_an_end(weaver: Weaver) -> None:
    """Most are in at last; some webhooks come, some never do; clocks jump; some come again, and
    one goes without a word."""
    world, dice = weaver.world, weaver.world.dice
    weaver.acts = CALM
    for _ in range(2 * len(world.clients)):
        weaver.play(people.enter)
    _deliver(weaver, most=dice.choice((0, 200)))
    for _ in world.fakes:
        weaver.play(machines.set_clock)
    for _ in world.clients:
        weaver.play(people.come_again)
    for act in (machines.sweep, machines.settle, people.vanish):
        weaver.play(act)
    weaver.play(machines.heal_all)
    _deliver(weaver, most=dice.choice((0, 100)))


def _deliver(weaver: Weaver, *, most: int) -> None:
    for _ in range(most):
        if weaver.world.pool:
            weaver.play(people.deliver)


def rest(weaver: Weaver) -> None:
    """No webhook comes any more; beat goes on until nothing changes."""
    world = weaver.world
    for fake in world.fakes:
        fake.webhooks.off()
    world.pool.clear()
    world.say("rest")
    told = len(world.log)
    for number in range(ROUNDS.stop):
        world.later(settings.VOICE_SWEEP_INTERVAL)
        for act in (machines.probe, machines.settle, machines.sweep, machines.tidy):
            weaver.play(act)
        for seconds in LATER:
            world.later(seconds)
            weaver.play(machines.settle)
        del world.log[told:]  # it is always the same
        if number >= ROUNDS.start and not judged(world):
            return


def judged(world: World) -> list[str]:
    return disagreements(world.fakes, over=world.over)
