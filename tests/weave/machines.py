"""What the schedule, the operators and the servers themselves do: one draw of the dice each."""

from __future__ import annotations

from regions.models import Server
from tests.faults.beat import Beat
from tests.livekit.fake import FakeLiveKit
from tests.voice.orders import BackEnd
from tests.voice.scene import BOB, OTHER_VOICE
from tests.weave import people
from tests.weave.world import World
from voice import rights
from voice.sweep import sweep as sweep_server

HOUR = 3_600_000  # ms
CONNECT, SPEAK = 1 << 20, 1 << 21


def wait(world: World) -> None:
    _wait(world, world.dice.choice((0.2, 1, 1, 3, 5, 11, 20, 65)))


def wait_briefly(world: World) -> None:
    _wait(world, world.dice.choice((0.2, 1, 1, 3, 5, 11, 20)))


def _wait(world: World, seconds: float) -> None:
    world.later(seconds)
    world.say(f"{seconds} s pass")


def settle(world: World) -> None:
    world.say("settle")
    Beat(world.later).settle()


def sweep(world: World) -> None:
    """Without settling what is found."""
    world.say("sweep")
    for pk in Server.objects.filter(down_since=None).order_by("pk").values_list("pk", flat=True):
        sweep_server(server_id=pk)


def tidy(world: World) -> None:
    world.say("tidy")
    Beat(world.later).tidy()


def probe(world: World) -> None:
    world.say("probe")
    Beat(world.later).probe()


def change_rights(world: World) -> None:
    """What bob may do in the other channel; sometimes the change is worked off at once."""
    deny = world.dice.choice((0, CONNECT, SPEAK))
    overwrite = {"id": str(BOB), "type": 1, "allow": "0", "deny": str(deny)}
    answer = BackEnd().ask("PATCH", f"/channels/{OTHER_VOICE}", {"overwrites": [overwrite]})
    world.answered(answer, "bob is denied", deny)
    if world.dice.random() < 0.6:
        rights.drain()


def drain_or_restore(world: World) -> None:
    server = world.dice.choice(list(Server.objects.order_by("pk")))
    verb = world.dice.choice(("drain", "restore"))
    path = f"/regions/{server.region_id}/servers/{server.slug}/{verb}"
    world.answered(BackEnd().ask("POST", path), verb, server.slug)


def restart(world: World) -> None:
    fake = world.dice.choice(world.fakes)
    if fake.url not in world.cut:
        fake.restart()
        world.say("restart of", world.number(fake))


def split(world: World) -> None:
    """A server can no longer be reached, or can again; sometimes that is noticed at once."""
    fake = world.dice.choice(world.fakes)
    if fake.url in world.cut:
        _heal(world, fake)
        return
    fake.refuse()
    world.cut.add(fake.url)
    world.say("cut off:", world.number(fake))
    if world.dice.random() < 0.6:
        for _ in range(2):
            probe(world)


def heal_all(world: World) -> None:
    for fake in world.fakes:
        _heal(world, fake)


def _heal(world: World, fake: FakeLiveKit) -> None:
    fake.accept()
    world.cut.discard(fake.url)
    world.say("reachable:", world.number(fake))


def set_clock(world: World) -> None:
    fake = world.dice.choice(world.fakes)
    fake.rooms.behind_ms = world.dice.choice((0, 0, HOUR))
    world.say("clock of", world.number(fake), "behind by", fake.rooms.behind_ms)


def answer_wrongly(world: World) -> None:
    """Lists as they were, or empty ones, for two acts and a settle."""
    fake = world.dice.choice(world.fakes)
    with fake.fault("stale" if world.dice.random() < 0.5 else "empty", method="ListParticipants"):
        world.say("wrong lists of", world.number(fake))
        for _ in range(2):
            world.dice.choice((people.join, people.leave, people.deliver, people.come_again))(world)
        settle(world)
    world.say("right lists of", world.number(fake))
