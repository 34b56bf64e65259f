"""The faults at full length. Each returns its figures, or raises Broken."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import redis
from django.db import connections
from django.utils import timezone

from regions.models import Server
from tests.faults.world import NOWHERE, Broken, World
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_faults import API
from tests.livekit.tokens import make_token
from tests.voice import scene
from tests.voice.scene import GUILD, MOIRA
from voice import due
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState

Faults = list[tuple[str, str, Callable[[World], str]]]


def client_killed(world: World) -> str:
    deaf = world.livekit(f"{NOWHERE}/webhooks/livekit")
    row = scene.server(deaf, "eu-central")
    one, two = world.channel("us-west"), world.channel("eu-central")
    (first, second) = world.users(2)
    told, lost = world.join(first, one), world.join(second, two)

    def gone(which: tuple, limit: float) -> float:
        which[0].kill()
        try:
            return world.within(limit, lambda: not world.is_live(which[1]["connection_id"]))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        a, b = pool.submit(gone, told, 30), pool.submit(gone, lost, 60)
        figures = a.result(), b.result()
    world.within(90, lambda: not VoiceState.objects.filter(server=row).exists())
    Server.objects.filter(pk=row.pk).update(is_active=False)
    return f"{figures[0]:.1f} s / {figures[1]:.1f} s"


def intruder(world: World) -> str:
    channel = world.channel("us-west")
    (user, thief) = world.users(2)
    client, grant = world.join(user, channel)
    west = world.servers["us-west"]
    room = f"guild_{GUILD}_channel_{channel}"
    token = make_token(
        key=west.key, secret=west.secret, room=room, identity=f"user_{thief}_conn_handmade"
    )
    from tests.livekit.rtc import RtcClient

    spy = RtcClient(west.url, token, name="spy")
    world.stack.callback(spy.close)
    began = time.monotonic()
    spy.connect()
    spy.wait_for("disconnected", timeout=12)
    active = time.monotonic() - began
    hidden = make_token(
        key=west.key, secret=west.secret, room=room, identity="ghost", hidden=True, canPublish=False
    )
    began = time.monotonic()
    (signal_only,) = world.signals.join(west.url, [hidden])
    signal_only.ended.wait(15)
    if signal_only.reason is None:
        raise Broken("a hidden one stays")
    unheard = time.monotonic() - began
    if not world.is_in(grant["connection_id"]):
        raise Broken("the honest one is out")
    client.close()
    if active > 4:
        raise Broken(f"the intruder stayed {active:.1f} s")
    return f"{active:.1f} s, connecting included; {unheard:.1f} s by the sweep alone"


def restarted(world: World) -> str:
    channel = world.channel("us-west")
    users = world.users(3)
    _, grants = world.crowd(users, channel)
    world.servers["us-west"].kill()
    world.servers["us-west"].restart()
    began = time.monotonic()

    def again() -> bool:
        grant = world.token(users[0], channel, connection_id=grants[0]["connection_id"])
        try:
            world.signals.join(grant["endpoint"], [grant["token"]])
        except Exception:
            return False
        return True

    back = world.within(30, again, "a client that asks again")
    world.within(
        60 - (time.monotonic() - began),
        lambda: not any(world.is_live(grant["connection_id"]) for grant in grants[1:]),
        "ghosts",
    )
    ghosts = time.monotonic() - began
    if not world.is_in(grants[0]["connection_id"]):
        raise Broken("who came back is not in")
    return f"in again after {back:.1f} s, ghosts gone after {ghosts:.1f} s"


def region_change(world: World) -> str:
    channel = world.channel("us-west")
    users = world.users(50)
    clients, _ = world.crowd(users, channel)
    began = time.monotonic()
    status, _ = world.call(
        "PATCH", f"/channels/{channel}", {"rtc_region": "us-east"}, user=scene.ALICE
    )
    while not any(client.ended.is_set() for client in clients):
        if time.monotonic() - began > 5:
            break
    world.worker.kill()
    left = sum(not client.ended.is_set() for client in clients)
    newcomer, grant = world.join(users[0], channel)
    world.worker = world.product.worker()
    world.within(60, lambda: all(client.ended.is_set() for client in clients), "the rest")
    took = time.monotonic() - began
    world.never(3, lambda: not world.is_in(grant["connection_id"]), "a newcomer was thrown out")
    newcomer.close()
    return f"{status}: {left} of 50 were left when the worker died, out after {took:.1f} s"


def hanging(world: World) -> str:
    channel = world.channel("us-east")
    (user,) = world.users(1)
    (client,), _ = world.crowd([user], channel)
    row, pid = world.row("us-west"), world.servers["us-west"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        due.mark(*((row.pk, f"dm_{n}") for n in range(200)))
        time.sleep(1)
        began = time.monotonic()
        path = f"/guilds/{GUILD}/members/{user}"
        status, _ = world.call("PATCH", path, {"channel_id": None}, user=MOIRA)
        client.ended.wait(10)
        took = time.monotonic() - began
        if status != 200 or client.reason != "PARTICIPANT_REMOVED" or took > 2:
            raise Broken(f"{status}, {client.reason} after {took:.1f} s")
    finally:
        os.kill(pid, signal.SIGCONT)
    rest = world.within(60, lambda: not DueRoom.objects.exists(), "the 200 rooms, afterwards")
    return f"{took:.2f} s; the 200 rooms settled {rest:.1f} s after it went on"


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


def split(world: World) -> str:
    quiet, asked = world.channel("us-west"), world.channel("us-west")
    users = world.users(4)
    silent, grants = world.people(users[:2], quiet)
    old, theirs = world.people(users[2:], asked)
    row = world.row("us-west")
    api_url = row.api_url
    began = time.monotonic()
    Server.objects.filter(pk=row.pk).update(api_url=NOWHERE)
    noticed = world.within(30, lambda: not world.row("us-west").works, "the probe")
    grant = world.token(users[2], asked, connection_id=theirs[0]["connection_id"])
    moved = world.connect(grant)
    time.sleep(max(0.0, 40 - (time.monotonic() - began)))
    if any(world.is_out(client) for client in [*silent, *old]):
        raise Broken("somebody was removed during the split")
    Server.objects.filter(pk=row.pk).update(api_url=api_url)
    healed = world.within(30, lambda: all(world.is_out(c) for c in old), "the old room")
    if any(world.is_out(client) for client in [*silent, moved]):
        raise Broken("somebody else was removed after the split")
    if not all(world.is_in(grant["connection_id"]) for grant in grants):
        raise Broken("the quiet room lost its states")
    return f"down after {noticed:.1f} s, nobody removed; old room empty {healed:.1f} s after it"


def failing_lists(world: World) -> str:
    channel = world.channel("us-west")
    users = world.users(3)
    clients, grants = world.people(users, channel)
    row = world.row("us-west")
    api_url = row.api_url
    fake = FakeLiveKit(key=row.api_key, secret=row.api_secret)
    path = f"/guilds/{GUILD}/members/{users[0]}"
    try:
        Server.objects.filter(pk=row.pk).update(api_url=fake.api_url)
        for kind in ("error", "hang", "plain_500"):
            with fake.fault(kind, method=API):
                if kind == "error":
                    world.call("PATCH", path, {"channel_id": None}, user=MOIRA)
                world.never(
                    100,
                    lambda: (
                        any(world.is_out(client) for client in clients)
                        or not all(world.is_live(grant["connection_id"]) for grant in grants[1:])
                    ),
                    "somebody was removed",
                )
    finally:
        Server.objects.filter(pk=row.pk).update(api_url=api_url)
        fake.close()
    took = world.within(60, lambda: world.is_out(clients[0]), "the kick, afterwards")
    if any(world.is_out(client) for client in clients[1:]):
        raise Broken("somebody else was removed")
    return f"nobody removed in 300 s; the kick made meanwhile took effect {took:.1f} s after"


def redis_away(world: World) -> str:
    channel = world.channel("us-east")
    (user, other) = world.users(2)
    clients, grants = world.people([user, other], channel)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()
        client.execute_command("CLIENT", "PAUSE", 60_000, "ALL")
    began, slowest = time.monotonic(), 0.0
    world.call("PATCH", f"/guilds/{GUILD}/members/{user}", {"channel_id": None}, user=MOIRA)
    while time.monotonic() - began < 55:
        asked = time.monotonic()
        world.token(other, channel, connection_id=grants[1]["connection_id"])
        slowest = max(slowest, time.monotonic() - asked)
        time.sleep(2)
    world.within(60, lambda: world.is_out(clients[0]), "the kick, afterwards")
    took = time.monotonic() - began
    if world.is_out(clients[1]) or not RoomPin.objects.filter(channel=channel).exists():
        raise Broken("a state or a pin was lost")
    return f"slowest token {slowest:.2f} s; the kick made meanwhile took effect after {took:.0f} s"


def killed_for_good(world: World) -> str:
    channel = world.channel(None, user_limit=2)
    users = world.users(3)
    world.ready("us-west")
    grants = [world.join(user, channel, region="us-west")[1] for user in users[:2]]
    if grants[0]["endpoint"] != world.servers["us-west"].url:
        raise Broken("the room is elsewhere")
    world.servers["us-west"].kill()
    noticed = world.within(30, lambda: not world.row("us-west").works, "the probe")
    again = world.token(users[0], channel, connection_id=grants[0]["connection_id"])
    if again["endpoint"] != world.servers["us-east"].url:
        raise Broken("the next token is not for the other server")
    world.connect(again)
    path, began = f"/channels/{channel}/voice/token", timezone.now()
    body = {"guild_id": str(GUILD)}

    def admitted() -> bool:
        return bool(world.call("POST", path, body, user=users[2])[0] == 200)

    kept = world.within(150, admitted, "the kept seat")
    ended = EndedConnection.objects.filter(pk=grants[1]["connection_id"], ended_at__gte=began)
    if kept < 110:
        raise Broken(f"the seat was free after {kept:.0f} s")
    world.within(15, ended.exists, "the end of the seat")
    world.servers["us-west"].restart()
    return f"noticed after {noticed:.1f} s, next token works; the other's seat kept {kept:.0f} s"


def postgres_restarted(world: World) -> str:
    channel = world.channel("us-east")
    users = world.users(2)
    clients, grants = world.people(users, channel)
    path, body = f"/guilds/{GUILD}/members/{users[0]}", {"channel_id": None}
    kick = world.call("PATCH", path, body, user=MOIRA)[0]
    connections.close_all()
    world.database.stop()
    states = f"/channels/{channel}/voice-states"
    status, answer = world.call("GET", states, user=users[1])
    if (status, answer["code"]) != (503, "SERVICE_UNAVAILABLE"):
        raise Broken(f"{status} {answer}")
    world.database.start()
    back = world.within(20, lambda: world.call("GET", states, user=users[1])[0] == 200)
    world.within(40, lambda: world.is_out(clients[0]), "the kick, afterwards")
    if kick != 200 or world.is_live(grants[0]["connection_id"]):
        raise Broken("what was acknowledged is lost")
    if world.is_out(clients[1]) or not world.is_in(grants[1]["connection_id"]):
        raise Broken("somebody else was removed")
    return f"503 meanwhile; answers {back:.1f} s after it is back, the kick before it took effect"


FAULTS: Faults = [
    ("client killed (-9), webhooks work / are lost", "30 s / 60 s", client_killed),
    ("hand-made token; hidden participant", "2 s / one sweep", intruder),
    ("LiveKit killed and restarted at once", "ghosts 60 s", restarted),
    ("worker killed in a region change of 50", "finished by the next", region_change),
    ("all calls to a server hang, 200 rooms due: a kick elsewhere", "2 s", hanging),
    ("client without network for 40 s", "same connection, flags", without_network),
    ("network split of 40 s, and its healing", "nobody; one sweep", split),
    ("lists fail, hang, answer 500 for 5 minutes", "nobody removed", failing_lists),
    ("Redis emptied, then silent for a minute", "nothing lost", redis_away),
    ("PostgreSQL restarted", "503, nothing lost", postgres_restarted),
    ("LiveKit killed for good, another up", "30 s; seats 120 s", killed_for_good),
]
