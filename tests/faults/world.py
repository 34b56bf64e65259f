"""The whole product at its real pace, with real media servers, for the faults at full length."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from fluxer.directory.models import Channel
from fluxer.local.livekit import LiveKit
from fluxer.local.livekit_binary import binary
from fluxer.local.ports import LiveKitPorts
from regions.models import Server
from tests.faults.product import Product
from tests.livekit.rtc import RtcClient
from tests.livekit.signals import Signals
from tests.services import LiveKitServer
from tests.storm.ground import Wire
from tests.voice import scene
from tests.voice.scene import GUILD
from voice.models import VoiceState

MEMBERS = 80
NOWHERE = "http://127.0.0.1:9"


class Store(Protocol):
    """The world's PostgreSQL, or its Redis, which runs."""

    def kill(self) -> None: ...

    def start(self) -> None: ...


class Broken(AssertionError):
    """A promise that was not kept."""


class World:
    """us-west and us-east, whose webhooks arrive; a fresh channel and fresh people each time."""

    def __init__(self, stack: ExitStack, directory: Path, *, postgres: Store, redis: Store) -> None:
        binary()
        self.stack, self.directory = stack, directory
        self.postgres, self.redis = postgres, redis
        scene.people()
        scene.more_members(MEMBERS)
        self.product = Product(directory, stack)
        self.servers = {name: self._server(name) for name in ("us-west", "us-east")}
        self.signals = Signals()
        stack.callback(self.signals.close)
        self.product.web()
        self.worker = self.product.worker()
        self.product.beat()
        self._channels, self._users = 10_000, 1000

    def _server(self, region: str) -> LiveKitServer:
        webhooks = f"{self.product.url}/webhooks/livekit/{region}/{region}-1"
        real = self.livekit(webhooks)
        scene.server(real, region)
        return real

    @contextmanager
    def unheard(self) -> Iterator[Server]:
        """A real server in eu-central whose webhooks are all lost; drained afterwards."""
        row = scene.server(self.livekit(f"{NOWHERE}/webhooks/livekit"), "eu-central")
        try:
            yield row
        finally:
            Server.objects.filter(pk=row.pk).update(is_active=False)

    def livekit(self, webhooks: str) -> LiveKitServer:
        """Another real server."""
        ports, name, secret = LiveKitPorts.free(), secrets.token_hex(4), secrets.token_urlsafe(32)
        directory = self.directory

        def run() -> LiveKit:
            return LiveKit(
                name,
                directory=directory,
                ports=ports,
                key=f"key-{name}",
                secret=secret,
                webhook_url=webhooks,
                log=directory / f"livekit-{name}.log",
                pids=directory / "pids",
            )

        server = LiveKitServer(run)
        self.stack.callback(server.stop)
        return server

    # rows

    def row(self, region: str) -> Server:
        return Server.objects.get(region_id=region)

    def channel(self, region: str | None = "us-west", **fields: Any) -> int:
        """A new voice channel that wants to be in this region."""
        self._channels += 1
        Channel.objects.create(
            pk=self._channels, type=2, guild_id=GUILD, name="c", rtc_region=region, **fields
        )
        return self._channels

    def users(self, count: int) -> list[int]:
        """Members who have done nothing yet, as long as there are any."""
        first = self._users
        self._users = 1000 + (first - 1000 + count) % (MEMBERS - count)
        return list(range(first, first + count))

    # people

    def call(self, method: str, path: str, body: Any = None, *, user: int | None) -> Any:
        """Status and answer."""
        wire = Wire(self.product.port)
        try:
            return wire.call(method, path, body, user=user)
        finally:
            wire.close()

    def token(self, user: int, channel: int, **wish: Any) -> dict[str, str]:
        status, grant = self.call(
            "POST",
            f"/channels/{channel}/voice/token",
            {"guild_id": str(GUILD), **wish},
            user=user,
        )
        if status != 200:
            raise Broken(f"a token was answered with {status} {grant}")
        return dict(grant)

    def join(self, user: int, channel: int, **wish: Any) -> tuple[RtcClient, dict[str, str]]:
        """A real client with media, whom the states show as joined."""
        grant = self.token(user, channel, **wish)
        client = self.connect(grant)
        self.within(30, lambda: self.is_in(grant["connection_id"]))
        return client, grant

    def connect(self, grant: dict[str, str]) -> RtcClient:
        """A real client, connected."""
        client = RtcClient(grant["endpoint"], grant["token"], name=grant["connection_id"])
        self.stack.callback(client.close)
        client.connect()
        return client

    def crowd(self, users: list[int], channel: int) -> tuple[list[Any], list[dict[str, str]]]:
        """Many clients without media, whom the states show as joined: a sweep sees them. LiveKit
        itself ends them after a while."""
        grants = [self.token(user, channel) for user in users]
        clients = self.signals.join(grants[0]["endpoint"], [grant["token"] for grant in grants])
        self.within(30, lambda: all(self.is_in(grant["connection_id"]) for grant in grants))
        return clients, grants

    def people(
        self, users: list[int], channel: int
    ) -> tuple[list[RtcClient], list[dict[str, str]]]:
        """A few with media, who stay."""
        pairs = [self.join(user, channel) for user in users]
        return [client for client, _ in pairs], [grant for _, grant in pairs]

    def ready(self, region: str) -> None:
        """The region's server takes new rooms, whatever was done to it before."""
        fine = {"down_since": None, "failing_since": None, "failures": 0, "suspect_until": None}
        self.within(60, lambda: Server.objects.filter(region_id=region, **fine).exists())

    @staticmethod
    def is_out(client: RtcClient) -> bool:
        return any(event["event"] == "disconnected" for event in client.events)

    @staticmethod
    def is_in(connection_id: str) -> bool:
        return VoiceState.objects.filter(pk=connection_id, joined_at__isnull=False).exists()

    @staticmethod
    def is_live(connection_id: str) -> bool:
        return VoiceState.objects.filter(pk=connection_id).exists()

    # time

    @staticmethod
    def within(seconds: float, true: Callable[[], Any], what: str = "") -> float:
        """After how many seconds it was true; Broken when it was not in time."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                raise Broken(f"{what or 'it'} took more than {seconds:g} s")
            time.sleep(0.05)
        return time.monotonic() - began

    @staticmethod
    def never(seconds: float, true: Callable[[], Any], what: str) -> None:
        """It stays untrue for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if true():
                raise Broken(what)
            time.sleep(0.5)
