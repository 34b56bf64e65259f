"""Faults of what we keep things in: Redis, of which nothing may depend, and PostgreSQL."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import redis
from django.db import connections
from livekit.protocol.models import Room
from livekit.protocol.webhook import WebhookEvent

from regions.models import Server
from tests.faults.gate import Gate
from tests.faults.product import Product
from tests.faults.world import Broken, World
from tests.livekit.signed import CONTENT_TYPE, encode, post_to, sign
from tests.storm.ground import Wire
from tests.voice.scene import GUILD, MOIRA
from voice.models import RoomPin

AWAY = 60  # seconds
ANSWERS = 2  # seconds, at most, while Redis is away
READS = 5  # of one user in ten seconds


def redis_away(world: World) -> str:
    channel = world.channel("us-east")
    users = world.users(3)
    clients, grants = world.people(users, channel)
    limited = Limited(world, channel, users[2], grants[2]["connection_id"])
    limited.holds_back()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()
        client.execute_command("CLIENT", "PAUSE", AWAY * 1000, "ALL")
    silent = _does_without(limited, users[0])
    first = world.within(60, lambda: world.is_out(clients[0]), "the kick, once it answers")
    limited.holds_back()
    world.redis.kill()
    killed = _does_without(limited, users[1])
    world.redis.start()
    second = world.within(60, lambda: world.is_out(clients[1]), "the kick, once it is back")
    limited.holds_back()
    stays = clients[2], grants[2]["connection_id"]
    if world.is_out(stays[0]) or not world.is_in(stays[1]):
        raise Broken("somebody else was removed")
    if not RoomPin.objects.filter(channel=channel).exists():
        raise Broken("a pin was lost")
    return (
        f"slowest answer {silent:.2f} s while it was silent, {killed:.2f} s while it was dead; "
        f"the kicks took effect {first:.1f} s and {second:.1f} s after it was back"
    )


class Limited:
    """A web server that lets everybody read only so often, and one who asks it for all there is."""

    def __init__(self, world: World, channel: int, user: int, connection_id: str) -> None:
        self._world, self._user = world, user
        self._product = Product(world.directory / "limited", world.stack, RATELIMIT_READ=READS)
        self._product.web()
        self._wire = Wire(self._product.port)
        world.stack.callback(self._wire.close)
        here = {"connection_id": connection_id}
        token, states = f"/channels/{channel}/voice/token", f"/channels/{channel}/voice-states"
        self._asks: Sequence[tuple[str, str, Any]] = [
            ("POST", token, {"guild_id": str(GUILD), **here}),
            ("PATCH", f"/guilds/{GUILD}/voice-states/@me", {"self_mute": True, **here}),
            *[("GET", states, None)] * (2 * READS + 1),  # too often, wherever a window begins
        ]

    def holds_back(self) -> None:
        """Redis is there, and counts."""
        self._world.within(
            10,
            lambda: 429 in [self._wire.call(*ask, user=self._user)[0] for ask in self._asks],
            "the limit",
        )

    def kick(self, user: int) -> float:
        ask = "PATCH", f"/guilds/{GUILD}/members/{user}", {"channel_id": None}
        return self._answers(*ask, user=MOIRA)

    def answers_all(self) -> float:
        """The slowest, in seconds."""
        return max(self._answers(*ask, user=self._user) for ask in self._asks)

    def _answers(self, method: str, path: str, body: Any, *, user: int) -> float:
        began = time.monotonic()
        status, answer = self._wire.call(method, path, body, user=user)
        took = time.monotonic() - began
        if status != 200 or took > ANSWERS:
            raise Broken(f"{method} {path} was answered with {status} {answer} in {took:.1f} s")
        return took


def _does_without(limited: Limited, user: int) -> float:
    """For a minute, in which somebody is kicked; the seconds of the slowest answer."""
    began = time.monotonic()
    slowest = limited.kick(user)
    while time.monotonic() - began < AWAY:
        slowest = max(slowest, limited.answers_all())
        time.sleep(1)
    return slowest


def postgres_killed(world: World) -> str:
    channel = world.channel("us-east")
    users = world.users(3)
    clients, grants = world.people(users, channel)
    kicked, left, stays = [grant["connection_id"] for grant in grants]
    row = world.row("us-east")
    gate = Gate(row.api_url, removals=0)
    Server.objects.filter(pk=row.pk).update(api_url=gate.url)
    path = f"/guilds/{GUILD}/members/{users[0]}"
    kick = world.call("PATCH", path, {"channel_id": None}, user=MOIRA)[0]
    world.within(10, lambda: gate.waiting, "the removal")
    connections.close_all()
    world.postgres.kill()
    try:
        refused = _refuses(world, channel, users[2], stays, row)
        clients[1].close()
        if kick != 200 or world.is_out(clients[0]):
            raise Broken(f"the kick, answered with {kick}, was not pending")
    finally:
        gate.open()
        world.postgres.start()
    states = f"/channels/{channel}/voice-states"
    back = world.within(20, lambda: world.call("GET", states, user=users[2])[0] == 200)
    out = world.within(40, lambda: world.is_out(clients[0]), "the kick, afterwards")
    Server.objects.filter(pk=row.pk).update(api_url=row.api_url)
    gate.close()
    gone = world.within(60 - out, lambda: not world.is_live(left), "who left meanwhile")
    if world.is_live(kicked) or world.is_out(clients[2]) or not world.is_in(stays):
        raise Broken("what was acknowledged is lost, or somebody else was removed")
    return (
        f"{refused} meanwhile; answers {back:.1f} s after it is back, the kick that was pending "
        f"took effect {out:.1f} s later, who left meanwhile was gone after {out + gone:.1f} s"
    )


def _refuses(world: World, channel: int, user: int, connection_id: str, server: Server) -> str:
    """Nobody can be told anything, and all are told to come again."""
    here = {"connection_id": connection_id}
    _busy(world, "GET", f"/channels/{channel}/voice-states", None, user)
    wish = {"guild_id": str(GUILD), **here}
    _busy(world, "POST", f"/channels/{channel}/voice/token", wish, user)
    change = {"self_mute": True, **here}
    _busy(world, "PATCH", f"/guilds/{GUILD}/voice-states/@me", change, user)
    room = Room(name=f"guild_{GUILD}_channel_{channel}", sid="RM_x")
    body = encode(WebhookEvent(event="room_started", id="EV_x", room=room))
    token = sign(body, key=server.api_key, secret=server.api_secret)
    url = f"{world.product.url}/webhooks/livekit/{server.region_id}/{server.slug}"
    told = post_to(url)(body, {"Content-Type": CONTENT_TYPE, "Authorization": token})
    if told < 500:  # LiveKit would not send it again
        raise Broken(f"a webhook was answered with {told}")
    return f"503 and Retry-After, webhooks {told}"


def _busy(world: World, method: str, path: str, body: Any, user: int) -> None:
    wire = Wire(world.product.port)
    try:
        status, answer = wire.call(method, path, body, user=user)
    finally:
        wire.close()
    if (status, answer["code"]) != (503, "SERVICE_UNAVAILABLE") or not wire.retry_after:
        raise Broken(f"{method} {path}: {status} {answer}, Retry-After {wire.retry_after}")
