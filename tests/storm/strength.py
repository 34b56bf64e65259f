"""Was it a storm at all? We granted what was asked, people got in and out, webhooks came badly.

The shares leave much room. 15 s on two cores that had no time left showed: four of five answers
granted, none refused for now, and to a hundred acts twelve connections in, and eight out again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_webhooks import Rule
from voice.models import EndedConnection, VoiceState

LATE = 1.5  # seconds
# One webhook in ten each; who is dropped is not asked whether it is doubled.
BADLY = {"dropped": ((), 0.1), "doubled": ((0, 0), 0.1 / 0.9), "delayed": ((LATE,), 0.1 / 0.8)}

GRANTED = 0.4  # of all answers, at least
REFUSED_FOR_NOW = 0.1  # of all answers, at most
VISITS = 0.02  # to an act, at least
BAD = 0.02  # of all webhooks, at least


@dataclass
class Counted(Rule):
    """A rule that counts the webhooks that it was asked about, and those that it took."""

    asked: int = 0
    taken: int = 0

    def takes(self, event: str) -> bool:
        is_taken = super().takes(event)
        self.asked, self.taken = self.asked + 1, self.taken + is_taken
        return is_taken


class Weather:
    """What becomes of the webhooks of these servers."""

    def __init__(self, fakes: Collection[FakeLiveKit]) -> None:
        self._rules = {
            word: [Counted(None, delays, chance=chance) for _ in fakes]
            for word, (delays, chance) in BADLY.items()
        }
        for fake, *rules in zip(fakes, *self._rules.values(), strict=True):
            fake.webhooks.rules += rules

    def seen(self) -> dict[str, int]:
        """How many webhooks were made, dropped, doubled and delayed."""
        made = sum(rule.asked for rule in next(iter(self._rules.values())))
        bad = {word: sum(rule.taken for rule in rules) for word, rules in self._rules.items()}
        return {"made": made, **bad}


def visits() -> dict[str, int]:
    """How many connections were in, and how many ended; nothing is forgotten in 15 minutes."""
    ended = EndedConnection.objects.exclude(participant_sid="").count()
    inside = VoiceState.objects.filter(joined_at__isnull=False).count()
    return {"joined": ended + inside, "ended": ended}


def lacks(
    *,
    acts: int,
    answers: Mapping[str, int],
    visited: Mapping[str, int],
    webhooks: Mapping[str, int],
) -> list[str]:
    """In what it was too weak to say anything; nothing, one hopes."""
    asked = {answer: count for answer, count in answers.items() if answer[:1].isdigit()}
    total = max(1, sum(asked.values()))
    granted = sum(count for answer, count in asked.items() if answer.startswith("2"))
    busy = sum(count for answer, count in asked.items() if answer.startswith("503"))
    found = []
    if granted < max(1, GRANTED * total):
        found.append(f"only {granted} of {total} answers granted anything")
    if busy > REFUSED_FOR_NOW * total:
        found.append(f"{busy} of {total} answers were 503")
    for word, count in visited.items():
        if count < max(1, VISITS * acts):
            found.append(f"only {count} connections {word} in {acts} acts")
    made = webhooks["made"]
    found += [
        f"only {webhooks[word]} of {made} webhooks were {word}"
        for word in BADLY
        if webhooks[word] < max(1, BAD * made)
    ]
    return found
