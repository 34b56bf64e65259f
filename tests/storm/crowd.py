"""What people, moderators and the back end do all at once, at random."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from tests.livekit.fake_participant import FakeParticipant, JoinRefused, PublishRefused
from tests.storm.ground import CALLS, Ground, Wire

REGIONS = (None, "us-west", "us-east", "eu-central")


@dataclass
class Device:
    """One client of one user: where it believes to be, and its latest token."""

    user: int
    sid: str | None
    channel: int = 0
    connection: str = ""
    token: str = ""
    endpoint: str = ""
    visit: FakeParticipant | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Crowd:
    """Threads that act until `stop`. `done` counts what was done, `answers` what came back;
    `over` are the connections that their own user ended for good."""

    def __init__(self, ground: Ground, *, rate: float, threads: int, seed: int) -> None:
        self.ground, self.rate = ground, rate
        self.done: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.over: set[str] = set()
        self.devices = [
            Device(user, sid)
            for guild, users in ground.members.items()
            if guild > 0
            for user in users
            for sid in (f"phone-{user}", None)
        ]
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._act, args=(random.Random(seed + n), threads), daemon=True)
            for n in range(threads)
        ]
        self._acts: list[tuple[int, Callable[[random.Random, Wire, Device], None]]] = [
            *((30, self.join), (8, self.move), (12, self.leave), (6, self.renew), (6, self.flags)),
            *((2, self.seat), (6, self.go), (3, self.vanish), (8, self.come_back)),
            *((4, self.publish), (2, self.intrude), (5, self.kick), (6, self.mute)),
            *((3, self.moved), (1, self.empty), (4, self.role), (3, self.member)),
            (2, self.region),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _act(self, dice: random.Random, threads: int) -> None:
        wire = Wire(self.ground.product.port)
        acts = [act for _, act in self._acts]
        weights = [weight for weight, _ in self._acts]
        due = time.monotonic()
        while not self._stop.is_set():
            due = max(due + threads / self.rate, time.monotonic() - 0.5)
            self._stop.wait(max(0.0, due - time.monotonic()))
            device = dice.choice(self.devices)
            if not device.lock.acquire(blocking=False):
                continue
            try:
                act = dice.choices(acts, weights)[0]
                act(dice, wire, device)
                self.done[act.__name__] += 1
            finally:
                device.lock.release()
        wire.close()

    def _call(self, wire: Wire, method: str, path: str, body: object, **who: object) -> tuple:
        status, answer = wire.call(method, path, body, **who)  # type: ignore[arg-type]
        code = answer.get("code", "") if isinstance(answer, dict) and status >= 400 else ""
        self.answers[f"{status} {code}".strip()] += 1
        return status, answer

    # one's own connections

    def join(self, dice: random.Random, wire: Wire, device: Device) -> None:
        channel = self._somewhere(dice, device)
        self._token(wire, device, channel, region=dice.choice(REGIONS))
        if dice.random() < 0.9:
            self._connect(device)

    def renew(self, dice: random.Random, wire: Wire, device: Device) -> None:
        if device.connection:
            self._token(wire, device, device.channel, connection_id=device.connection)
            if device.visit is None or not device.visit.inside:
                self._connect(device)

    def seat(self, dice: random.Random, wire: Wire, device: Device) -> None:
        channel = self._somewhere(dice, device)
        if self.ground.channels[channel][0]:
            self._own(wire, device, {"channel_id": str(channel)})

    def move(self, dice: random.Random, wire: Wire, device: Device) -> None:
        guild = self.ground.channels.get(device.channel, (0, 0))[0]
        if not guild or not device.connection:
            return
        channel = guild + 100 + dice.randrange(4)
        body = {"channel_id": str(channel), "connection_id": device.connection}
        status, answer = self._own(wire, device, body)
        if status != 200:
            return
        if answer["connection_id"] != device.connection:
            self.over.add(device.connection)
            device.channel, device.connection = channel, answer["connection_id"]
        self._token(wire, device, channel, connection_id=device.connection)
        self._connect(device)

    def leave(self, dice: random.Random, wire: Wire, device: Device) -> None:
        if device.connection:
            connection = device.connection
            body = {"channel_id": None, "connection_id": connection}
            status, _ = self._own(wire, device, body)
            if status == 200:
                self.over.add(connection)
            device.connection = ""

    def flags(self, dice: random.Random, wire: Wire, device: Device) -> None:
        if device.connection:
            body = {"self_mute": dice.random() < 0.5, "connection_id": device.connection}
            self._own(wire, device, body)

    # one's client

    def go(self, dice: random.Random, wire: Wire, device: Device) -> None:
        if device.visit is not None:
            device.visit.leave()

    def vanish(self, dice: random.Random, wire: Wire, device: Device) -> None:
        if device.visit is not None:
            device.visit.vanish()

    def come_back(self, dice: random.Random, wire: Wire, device: Device) -> None:
        """With the token of before, whatever has become of the connection."""
        self._connect(device)

    def publish(self, dice: random.Random, wire: Wire, device: Device) -> None:
        if device.visit is not None:
            with suppress(PublishRefused):
                device.visit.publish()

    def intrude(self, dice: random.Random, wire: Wire, device: Device) -> None:
        """With a token made by hand: a stolen identity, a made-up one, or nobody to be seen."""
        fake = dice.choice(list(self.ground.fakes.values()))
        rooms = [room.name for room in fake.rooms.listing([])]
        identity = dice.choice([f"user_{device.user}_{device.connection}", "spy", "user_1_conn_x"])
        if rooms:
            with suppress(JoinRefused):
                fake.join(fake.token(dice.choice(rooms), identity, hidden=identity == "spy"))

    # moderators and the back end

    def kick(self, dice: random.Random, wire: Wire, device: Device) -> None:
        self._moderate(wire, device, {"channel_id": None})

    def mute(self, dice: random.Random, wire: Wire, device: Device) -> None:
        word = dice.choice(("mute", "deaf"))
        self._moderate(wire, device, {word: dice.random() < 0.4})

    def moved(self, dice: random.Random, wire: Wire, device: Device) -> None:
        self._moderate(wire, device, {"channel_id": str(self._guild(device) + 100)})

    def role(self, dice: random.Random, wire: Wire, device: Device) -> None:
        guild = self._guild(device)
        bits = sum(1 << bit for bit in (9, 10, 20, 21) if dice.random() < 0.9)
        role = guild if dice.random() < 0.5 else guild + 501
        path = f"/service/guilds/{guild}/roles/{role}"
        self._call(wire, "PATCH", path, {"permissions": str(bits)}, user=None)

    def member(self, dice: random.Random, wire: Wire, device: Device) -> None:
        """Out of the guild and in again, or other roles."""
        guild = self._guild(device)
        path = f"/service/guilds/{guild}/members/{device.user}"
        if dice.random() < 0.3 and device.user % 1000 > 2:
            self._call(wire, "DELETE", path, None, user=None)
            self._call(wire, "PUT", path, {"role_ids": []}, user=None)
        elif device.user % 1000 > 2:
            roles = [str(guild + 501)] if dice.random() < 0.5 else []
            self._call(wire, "PATCH", path, {"role_ids": roles}, user=None)

    def region(self, dice: random.Random, wire: Wire, device: Device) -> None:
        guild = self._guild(device)
        path = f"/channels/{guild + 100 + dice.randrange(4)}"
        body = {"rtc_region": dice.choice(REGIONS)}
        self._call(wire, "PATCH", path, body, user=guild + 1)

    def empty(self, dice: random.Random, wire: Wire, device: Device) -> None:
        guild = self._guild(device)
        path = f"/channels/{guild + 100 + dice.randrange(4)}/voice/disconnect"
        self._call(wire, "POST", path, None, user=self.ground.moderators[guild])

    # how

    @staticmethod
    def _guild(device: Device) -> int:
        return device.user // 1000 * 1000

    def _somewhere(self, dice: random.Random, device: Device) -> int:
        calls = [9000 + n for n in range(CALLS)]
        mine = [pk for pk in calls if device.user in self.ground.people_of(pk)]
        if mine and dice.random() < 0.2:
            return dice.choice(mine)
        return self._guild(device) + 100 + dice.randrange(4)

    def _own(self, wire: Wire, device: Device, body: Mapping[str, object]) -> tuple:
        guild = self.ground.channels.get(device.channel, (0, 0))[0] or self._guild(device)
        path = f"/guilds/{guild}/voice-states/@me"
        if device.channel >= 9000:
            path = f"/channels/{device.channel}/voice-states/@me"
        return self._call(wire, "PATCH", path, body, user=device.user, sid=device.sid)

    def _moderate(self, wire: Wire, device: Device, body: Mapping[str, object]) -> None:
        guild = self._guild(device)
        path = f"/guilds/{guild}/members/{device.user}"
        self._call(wire, "PATCH", path, body, user=self.ground.moderators[guild])

    def _token(self, wire: Wire, device: Device, channel: int, **wish: object) -> None:
        guild = self.ground.channels[channel][0]
        body = {name: value for name, value in wish.items() if value is not None}
        if guild:
            body["guild_id"] = str(guild)
        path = f"/channels/{channel}/voice/token"
        status, grant = self._call(wire, "POST", path, body, user=device.user, sid=device.sid)
        if status == 200:
            device.channel, device.connection = channel, grant["connection_id"]
            device.token, device.endpoint = grant["token"], grant["endpoint"]

    def _connect(self, device: Device) -> None:
        if device.token:
            try:
                device.visit = self.ground.fakes[device.endpoint].join(device.token)
            except JoinRefused as refused:
                self.answers[f"join refused {refused.status}"] += 1
