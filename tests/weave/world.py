"""What is woven: five clients in a guild, two fake LiveKit servers, their webhooks, and the time.

The clock stands still but for what the acts let pass, and the log names ids in the order in which
they came up, so that one seed gives one log.
"""

from __future__ import annotations

import random
import re
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from livekit.protocol.webhook import WebhookEvent

from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import FakeParticipant
from tests.storm.judge import out_for_good
from tests.voice import scene
from tests.voice.devices import Device
from tests.voice.scene import ALICE, BOB, GUILD, MOIRA, OTHER_VOICE, VOICE
from voice.models import VoiceState
from voice.rooms import parse_identity

CHANNELS = (VOICE, OTHER_VOICE)
ROOMS = {f"guild_{GUILD}_channel_{channel_id}": channel_id for channel_id in CHANNELS}
CLIENTS = ((ALICE, "a"), (BOB, "b"), (BOB, "b2"), (BOB, None), (MOIRA, "m"))
TICK = 0.01  # seconds between two acts

_RANDOM = re.compile(r"conn_\w+|PA_\w+")


class Client(Device):
    """One of somebody's clients: where it believes to be, and its latest token."""

    def __init__(self, user_id: int, sid: str | None) -> None:
        super().__init__(user_id, sid=sid)
        self.name = f"{user_id}/{sid}"
        self.channel_id = 0
        self.connection_id = self.jwt = self.endpoint = ""
        self.visit: FakeParticipant | None = None

    @property
    def is_in(self) -> bool:
        return self.visit is not None and self.visit.inside


class World:
    """`log`: what was done. `pool`: webhooks that are made and not delivered. `wrong`: what must
    not happen even for a moment. `over`: connections that must not live again."""

    def __init__(self, stack: ExitStack, *, seed: int) -> None:
        self.dice = random.Random(seed)
        self.log: list[str] = []
        self.wrong: list[str] = []
        self.over: set[str] = set()
        self.depth = 0  # of acts that are under way
        self._names: dict[str, str] = {}
        start = datetime.now(UTC).replace(microsecond=0)
        self._clock = stack.enter_context(time_machine.travel(start, tick=False))
        scene.people()
        self.fakes: list[FakeLiveKit] = []
        for region in ("us-west", "us-east"):
            fake = FakeLiveKit()
            stack.callback(fake.close)
            scene.server(fake, region)
            scene.connect(fake)
            self.fakes.append(fake)
        self._made = [stack.enter_context(fake.webhooks.held()) for fake in self.fakes]
        self._pool: list[tuple[FakeLiveKit, WebhookEvent]] = []
        self._looked_at = [0 for _ in self.fakes]
        self.cut: set[str] = set()  # the urls of servers that cannot be reached
        self.clients = [Client(user_id, sid) for user_id, sid in CLIENTS]

    def later(self, seconds: float) -> None:
        self._clock.shift(timedelta(seconds=seconds))

    def fake_at(self, endpoint: str) -> FakeLiveKit:
        return next(fake for fake in self.fakes if fake.url == endpoint)

    def number(self, fake: FakeLiveKit) -> int:
        return self.fakes.index(fake)

    # what is told

    def say(self, *words: object) -> None:
        line = " ".join(str(word) for word in words)
        self.log.append("  " * self.depth + self.named(line))

    def named(self, line: str) -> str:
        """The line with the random ids replaced by names: c1, c2, … and v1, v2, …"""
        return _RANDOM.sub(lambda match: self._name(match[0]), line)

    def _name(self, random_id: str) -> str:
        kind = "c" if random_id.startswith("conn") else "v"
        number = 1 + sum(name[0] == kind for name in self._names.values())
        return self._names.setdefault(random_id, f"{kind}{number}")

    def answered(self, answer: Any, *words: object) -> bool:
        """Note our API's answer to this; whether it is a good one."""
        body = answer.json() if answer.content else {}
        told = body.get("code") or body.get("connection_id", "") if isinstance(body, dict) else ""
        self.say(*words, "->", answer.status_code, told)
        if answer.status_code >= 500 and answer.status_code != 503:
            self.wrong.append(f"{words} was answered with {answer.status_code} {told}")
        return bool(answer.status_code < 300)

    # webhooks

    @property
    def pool(self) -> list[tuple[FakeLiveKit, WebhookEvent]]:
        """What is made and not delivered, the oldest first; of one moment, in the order of names:
        removals that are asked for together come through in any order."""
        for fake, made in zip(self.fakes, self._made, strict=True):
            events = [webhook.event for webhook in made]
            made.clear()
            events.sort(key=lambda event: self.named(event.participant.identity))
            self._pool += [(fake, event) for event in events]
        return self._pool

    # what must hold at every moment

    def look(self) -> None:
        """No removal is under way, or done just now, of somebody who may be in; remember who is
        out for good."""
        self.over |= out_for_good()
        for number, fake in enumerate(self.fakes):
            calls = fake.calls[self._looked_at[number] :]
            self._looked_at[number] += len(calls)
            for call in calls:
                identity = parse_identity(call.identity)
                if call.method != "RemoveParticipant" or identity is None:
                    continue
                server = Server.objects.get(api_key=fake.key)
                may_be_in = VoiceState.objects.filter(
                    pk=identity.connection_id,
                    user_id=identity.user_id,
                    channel_id=ROOMS[call.room],
                    server=server,
                )
                if may_be_in.exists():
                    self.wrong.append(self.named(f"removed, and may be in: {call}"))
