"""Faults of media servers, and of the network to them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import timezone

from regions.models import Server
from tests.faults.world import NOWHERE, Broken, World
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_faults import API
from tests.livekit.rtc import RtcClient
from tests.voice.scene import GUILD, MOIRA
from voice import due
from voice.models import DueRoom, EndedConnection, VoiceState

SPARE = 5  # seconds that a busy machine may take besides


@contextmanager
def answering_instead(row: Server) -> Iterator[FakeLiveKit]:
    """Our calls to the server reach another, which has no rooms; media goes on."""
    fake = FakeLiveKit(key=row.api_key, secret=row.api_secret)
    try:
        Server.objects.filter(pk=row.pk).update(api_url=fake.api_url)
        yield fake
    finally:
        Server.objects.filter(pk=row.pk).update(api_url=row.api_url)
        fake.close()


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
    limit = settings.VOICE_PROBE_INTERVAL + settings.VOICE_SWEEP_INTERVAL + SPARE
    healed = world.within(limit, lambda: all(world.is_out(c) for c in old), "the old room")
    if any(world.is_out(client) for client in [*silent, moved]):
        raise Broken("somebody else was removed after the split")
    if not all(world.is_in(grant["connection_id"]) for grant in grants):
        raise Broken("the quiet room lost its states")
    return f"down after {noticed:.1f} s, nobody removed; old room empty {healed:.1f} s after it"


def failing_lists(world: World) -> str:
    with world.unheard() as server:
        clients, grants = world.people(world.users(4), world.channel("eu-central"))
        kicked, killed, *stay = clients
        ids = [grant["connection_id"] for grant in grants]
        with answering_instead(server) as fake:
            for kind in ("error", "hang", "plain_500"):
                with fake.fault(kind, method=API):
                    if kind == "error":
                        _kick(world, ids[0])
                        killed.kill()
                    _nobody_goes(world, [kicked, *stay], ids[1:])
        out = world.within(60, lambda: world.is_out(kicked), "the kick, afterwards")
        gone = world.within(60 - out, lambda: not world.is_live(ids[1]), "who was killed")
        rest = world.within(30, lambda: not DueRoom.objects.exists(), "rest")
        if any(map(world.is_out, stay)) or not all(map(world.is_in, ids[2:])):
            raise Broken("somebody else was removed")
        for client in stay:
            client.close()
    return (
        f"nobody removed in 300 s; afterwards the kick took effect in {out:.1f} s, the ghost "
        f"was gone after {out + gone:.1f} s, and nothing was due after {out + gone + rest:.1f} s"
    )


def _kick(world: World, connection_id: str) -> None:
    user = VoiceState.objects.get(pk=connection_id).user_id
    path = f"/guilds/{GUILD}/members/{user}"
    status, _ = world.call("PATCH", path, {"channel_id": None}, user=MOIRA)
    if status != 200:
        raise Broken(f"the kick was answered with {status}")


def _nobody_goes(world: World, clients: Iterable[RtcClient], ids: Iterable[str]) -> None:
    world.never(
        100,
        lambda: any(map(world.is_out, clients)) or not all(map(world.is_live, ids)),
        "somebody was removed",
    )


def empty_list(world: World) -> str:
    channel = world.channel("us-west")
    clients, grants = world.people(world.users(2), channel)
    states = VoiceState.objects.filter(pk__in=[grant["connection_id"] for grant in grants])
    with answering_instead(world.row("us-west")):
        noted = states.filter(missing_since__isnull=False)
        heard = world.within(30, lambda: noted.count() == len(grants), "the empty list")
    seen = world.within(30, lambda: not noted.exists(), "the next list")
    world.never(
        15,
        lambda: any(world.is_out(client) for client in clients) or states.count() < len(grants),
        "somebody was removed",
    )
    return f"heard after {heard:.1f} s, everybody seen again {seen:.1f} s later, nobody removed"


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
