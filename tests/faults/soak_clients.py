"""Faults of people's clients, and clients that nobody asked in."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import connections

from fluxer import livekit
from tests.faults.world import Broken, World
from tests.livekit.rtc import RtcClient
from tests.livekit.tokens import make_token
from tests.services import LiveKitServer
from tests.voice.scene import GUILD
from voice.models import VoiceState


def client_killed(world: World) -> str:
    (first, second) = world.users(2)

    def gone(which: tuple, limit: float) -> float:
        which[0].kill()
        try:
            return world.within(limit, lambda: not world.is_live(which[1]["connection_id"]))
        finally:
            connections.close_all()

    with world.unheard() as server, ThreadPoolExecutor(2) as pool:
        told = world.join(first, world.channel("us-west"))
        lost = world.join(second, world.channel("eu-central"))
        a, b = pool.submit(gone, told, 30), pool.submit(gone, lost, 60)
        figures = a.result(), b.result()
        world.within(90, lambda: not VoiceState.objects.filter(server=server).exists())
    return f"{figures[0]:.1f} s / {figures[1]:.1f} s"


def intruder(world: World) -> str:
    channel, empty = world.channel("us-west"), world.channel("us-west")
    (user, thief) = world.users(2)
    client, grant = world.join(user, channel)
    west = world.servers["us-west"]
    room, unmade = (f"guild_{GUILD}_channel_{pk}" for pk in (channel, empty))
    livekit.create_room(
        world.row("us-west").livekit, name=unmade, empty_timeout=60, departure_timeout=60
    )
    handmade = f"user_{thief}_conn_handmade"
    stolen = f"user_{user}_{grant['connection_id']}"
    out = [_spied(world, west, *spy) for spy in ((room, handmade), (unmade, stolen))]
    hidden = make_token(
        key=west.key, secret=west.secret, room=room, identity="ghost", hidden=True, canPublish=False
    )
    began = time.monotonic()
    (signal_only,) = world.signals.join(west.url, [hidden])
    signal_only.ended.wait(settings.VOICE_SWEEP_INTERVAL + 2)  # and what a listing may take
    if signal_only.reason is None:
        raise Broken("a hidden one stays longer than one sweep")
    unheard = time.monotonic() - began
    if not world.is_in(grant["connection_id"]):
        raise Broken("the honest one is out")
    client.close()
    return f"{out[0]:.1f} s, {out[1]:.1f} s in a room we never made; hidden: {unheard:.1f} s"


def _spied(world: World, server: LiveKitServer, room: str, identity: str) -> float:
    """Who joins with a token made by hand, and after how many seconds they are out."""
    token = make_token(key=server.key, secret=server.secret, room=room, identity=identity)
    spy = RtcClient(server.url, token, name="spy")
    world.stack.callback(spy.close)
    spy.connect()
    began = time.monotonic()
    spy.wait_for("disconnected", timeout=12)
    took = time.monotonic() - began
    if took > 2:
        raise Broken(f"{identity} stayed {took:.1f} s")
    return took


def without_network(world: World) -> str:
    channel = world.channel("us-west", user_limit=2)
    (user, other) = world.users(2)
    client, grant = world.join(user, channel)
    stays, _ = world.join(other, channel)
    path = f"/guilds/{GUILD}/voice-states/@me"
    body = {"self_mute": True, "connection_id": grant["connection_id"]}
    world.call("PATCH", path, body, user=user)
    os.kill(client.pid, signal.SIGSTOP)
    time.sleep(40)
    was = "live" if world.is_live(grant["connection_id"]) else "away"
    os.kill(client.pid, signal.SIGCONT)
    back = world.within(40, lambda: world.is_in(grant["connection_id"]), "the return")
    state = VoiceState.objects.get(pk=grant["connection_id"])
    if not state.self_mute:
        raise Broken("the flags are lost")
    for one in (client, stays):
        one.close()
    return f"{was} after 40 s, back {back:.1f} s later: same connection, same flags"
