"""One storm, from the first gust to the last disagreement."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.storm.crowd import Crowd
from tests.storm.ground import Ground
from tests.storm.judge import Watch, at_rest
from tests.storm.strength import Weather, lacks, visits

_STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Result:
    """What it was like, and what was wrong afterwards: nothing, one hopes."""

    seconds: float
    actions: int
    done: dict[str, int]
    answers: dict[str, int]
    visited: dict[str, int]
    webhooks: dict[str, int]
    delivered: int
    busy: float
    looks: int
    out: int
    rested: float
    wrong: list[str]

    def __str__(self) -> str:
        rate = self.actions / self.seconds
        cores = f"{os.cpu_count()} cores {self.busy:.0%} busy"
        lines = [
            f"{self.actions} actions in {self.seconds:.0f} s: {rate:.0f} a second, {cores}",
            f"  webhooks delivered: {self.delivered}; limits looked at {self.looks} times",
            f"  {self.out} connections ended for good, and must not live again",
            "  visits:   " + ", ".join(f"{k} {v}" for k, v in self.visited.items()),
            "  webhooks: " + ", ".join(f"{k} {v}" for k, v in self.webhooks.items()),
            "  did:      " + ", ".join(f"{k} {v}" for k, v in sorted(self.done.items())),
            "  answered: " + ", ".join(f"{v} x {k}" for k, v in sorted(self.answers.items())),
            f"  at rest after {self.rested:.0f} s",
            *(f"  WRONG: {line}" for line in self.wrong),
            f"disagreements: {len(self.wrong)}",
        ]
        return "\n".join(lines)


def storm(
    *, seconds: float, rate: float, threads: int, seed: int, directory: Path, patience: float = 60
) -> Result:
    """On the current database, which must be empty but for its tables."""
    with ExitStack() as stack:
        ground = Ground(stack, directory)
        fakes = list(ground.fakes.values())
        weather = Weather(fakes)
        watch, crowd = Watch(), Crowd(ground, rate=rate, threads=threads, seed=seed)
        began, before = time.monotonic(), _cores()
        crowd.start()
        time.sleep(seconds)
        crowd.stop()
        took, after = time.monotonic() - began, _cores()
        for fake in fakes:
            fake.webhooks.settled(20)
        found, rested = at_rest(fakes, over=crowd.over | watch.out, patience=patience)
        asleep = [] if watch.stop() else ["the watch over the limits died"]
        actions, visited, webhooks = sum(crowd.done.values()), visits(), weather.seen()
        weak = lacks(acts=actions, answers=crowd.answers, visited=visited, webhooks=webhooks)
        return Result(
            seconds=took,
            actions=actions,
            done=dict(crowd.done),
            answers=dict(crowd.answers),
            visited=visited,
            webhooks=webhooks,
            delivered=sum(len(fake.sent) for fake in fakes),
            busy=1 - (after[0] - before[0]) / max(1, after[1] - before[1]),
            looks=watch.looks,
            out=len(watch.out),
            rested=rested,
            wrong=[*found, *asleep, *sorted(watch.exceeded), *_failures(crowd.answers), *weak],
        )


def _failures(answers: Mapping[str, int]) -> list[str]:
    return [
        f"answered {count} times with {answer}"
        for answer, count in answers.items()
        if answer.startswith(("0", "500", "502"))
    ]


def _cores() -> tuple[int, int]:
    """For how long all cores were idle until now, and for how long there were any (Linux)."""
    if not _STAT.exists():
        return 0, 0
    ticks = [int(word) for word in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
