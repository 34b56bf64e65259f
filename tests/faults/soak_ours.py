"""Faults of our own processes."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import redis

from regions.models import Server
from tests.faults.gate import Gate
from tests.faults.product import Product
from tests.faults.world import Broken, World
from tests.livekit.tokens import make_token
from tests.storm.ground import Wire
from tests.voice import scene
from tests.voice.scene import GUILD, MOIRA
from voice.events import STREAM
from voice.models import AuditEntry, DueRoom, EndedConnection, VoiceState


def region_change(world: World) -> str:
    channel = world.channel("us-west")
    users = world.users(50)
    clients, _ = world.crowd(users, channel)
    west = world.row("us-west")
    gate = Gate(west.api_url, removals=20)

    def left() -> int:
        return sum(not client.ended.is_set() for client in clients)

    try:
        Server.objects.filter(pk=west.pk).update(api_url=gate.url)
        began = time.monotonic()
        wish = {"rtc_region": "us-east"}
        status, _ = world.call("PATCH", f"/channels/{channel}", wish, user=scene.ALICE)
        world.within(2, lambda: left() <= 30, "the first twenty")
        world.worker.kill()
        were_left = left()
    finally:
        Server.objects.filter(pk=west.pk).update(api_url=west.api_url)
        gate.close()
    if (status, were_left) != (200, 30):
        raise Broken(f"{status}: {were_left} of 50 were left when the worker died")
    newcomer, grant = world.join(users[0], channel)
    world.worker = world.product.worker()
    world.within(60, lambda: not left(), "the rest")
    took = time.monotonic() - began
    world.never(3, lambda: not world.is_in(grant["connection_id"]), "a newcomer was thrown out")
    newcomer.close()
    return (
        f"{were_left} of 50 were left when the worker died, all out {took:.1f} s after the change"
    )


def web_killed(world: World) -> str:
    channel = world.channel("us-east")
    users = world.users(2)
    clients, grants = world.people(users, channel)
    with socket.create_server(("127.0.0.1", 0)) as hole:  # takes everything, and answers nothing
        nowhere = f"redis://127.0.0.1:{hole.getsockname()[1]}/0"
        urls = {"REDIS_URL": nowhere, "CELERY_BROKER_URL": nowhere}
        doomed = Product(world.directory / "doomed", world.stack, **urls)
        web = doomed.web()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(_kick, doomed.port, users[0])
            world.within(10, lambda: not world.is_live(grants[0]["connection_id"]), "the commit")
            web.kill()
            if answer.result(30) != 0:
                raise Broken("it lived to answer")
    took = world.within(30, lambda: world.is_out(clients[0]), "the kick")
    if world.is_out(clients[1]) or not world.is_in(grants[1]["connection_id"]):
        raise Broken("somebody else was removed")
    return f"{took:.1f} s after"


def _kick(port: int, user: int) -> int:
    """The status, by a web server of its own; 0 when it dies."""
    wire = Wire(port)
    path = f"/guilds/{GUILD}/members/{user}"
    try:
        return wire.call("PATCH", path, {"channel_id": None}, user=MOIRA)[0]
    finally:
        wire.close()


def two_of_each(world: World) -> str:
    channel = world.channel("us-east")
    users = world.users(3)
    clients, grants = world.people(users, channel)
    kicked, lost, stays = ids = [grant["connection_id"] for grant in grants]
    east, room = world.servers["us-east"], f"guild_{GUILD}_channel_{channel}"
    hidden = make_token(
        key=east.key, secret=east.secret, room=room, identity="ghost", hidden=True, canPublish=False
    )
    beat, worker = world.product.beat(), world.product.worker()
    try:
        _kick(world.product.port, users[0])
        clients[1].kill()
        (stranger,) = world.signals.join(east.url, [hidden])
        world.within(30, stranger.ended.is_set, "the stranger")
        world.within(40, lambda: not world.is_live(lost), "the ghost")
        world.never(
            20, lambda: world.is_out(clients[2]) or not world.is_in(stays), "somebody was removed"
        )
        world.within(30, lambda: not DueRoom.objects.exists(), "rest")
    finally:
        beat.stop()
        worker.stop()
    if not world.is_out(clients[0]):
        raise Broken("who was kicked is in")
    once = {kicked: 3, lost: 3, stays: 2}  # a seat, a visit, an end
    found = dict(EndedConnection.objects.filter(pk__in=ids).values_list("pk", "version"))
    found |= dict(VoiceState.objects.filter(pk__in=ids).values_list("pk", "version"))
    kicks = AuditEntry.objects.filter(channel_id=channel, action="disconnect").count()
    if (found, _told(channel), kicks) != (once, once, 1):
        raise Broken(f"versions {found}, told {_told(channel)}, {kicks} audit entries")
    return "each ended once, and was told once"


def _told(channel: int) -> dict[str, int]:
    """How often each connection of the channel was told of."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as client:
        entries = [fields for _, fields in client.xrange(STREAM)]
    return Counter(
        json.loads(entry["data"])["connection_id"]
        for entry in entries
        if entry["type"] == "VOICE_STATE_UPDATE" and entry["channel_id"] == str(channel)
    )
