"""What clients and moderators do, and what becomes of webhooks: one draw of the dice each."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tests.livekit.fake_participant import FakeParticipant, JoinRefused
from tests.voice.orders import moderate
from tests.voice.scene import ALICE, BOB, MOIRA, OTHER_VOICE, VOICE, Caller
from tests.weave.world import CHANNELS, Client, World

RECENT = 6  # webhooks that may overtake each other


def ask(world: World) -> None:
    """A token: for a new connection, or for the one that the client has."""
    _ask(world, world.dice.choice(world.clients))


def _ask(world: World, client: Client) -> None:
    dice, body = world.dice, dict[str, Any]()
    channel_id = dice.choice((VOICE, VOICE, OTHER_VOICE))
    if client.connection_id and client.channel_id == channel_id and dice.random() < 0.6:
        body["connection_id"] = client.connection_id
    if dice.random() < 0.3:
        body["region"] = dice.choice(("us-west", "us-east"))
    answer = client.ask(channel_id, **body)
    if world.answered(answer, client.name, "asks", channel_id, body):
        grant = answer.json()
        client.channel_id, client.connection_id = channel_id, grant["connection_id"]
        client.jwt, client.endpoint = grant["token"], grant["endpoint"]


def join(world: World) -> None:
    """With the latest token, however old it is."""
    _join(world, world.dice.choice(world.clients))


def _join(world: World, client: Client) -> None:
    if not client.jwt or client.endpoint in world.cut:
        return
    fake = world.fake_at(client.endpoint)
    try:
        client.visit = fake.join(client.jwt, active=world.dice.random() > 0.1)
    except JoinRefused as refused:
        world.say(client.name, "is refused:", refused.status)
        return
    world.say(client.name, "joins", world.number(fake), client.visit.identity, client.visit.sid)


def enter(world: World) -> None:
    """Ask and join at once, unless they are in."""
    client = world.dice.choice(world.clients)
    if not client.is_in:
        _ask(world, client)
        _join(world, client)


def come_again(world: World) -> None:
    """Reconnect with the token that LiveKit hands out, be they in or not."""
    client = world.dice.choice(world.clients)
    if client.visit is None or client.visit.server.url in world.cut:
        return
    with suppress(JoinRefused):
        client.visit = client.visit.server.join(client.visit.refreshed_token())
        world.say(client.name, "joins again:", client.visit.identity, client.visit.sid)


def leave(world: World) -> None:
    if visit := _somebody(world):
        reason = world.dice.choice(("CLIENT_INITIATED", "CONNECTION_TIMEOUT"))
        visit.leave(reason)
        world.say(visit.identity, "leaves", visit.sid, reason)


def vanish(world: World) -> None:
    if visit := _somebody(world):
        visit.vanish()
        world.say(visit.identity, "vanishes", visit.sid)


def _somebody(world: World) -> FakeParticipant | None:
    visits = [client.visit for client in world.clients if client.visit and client.visit.inside]
    return world.dice.choice(visits) if visits else None


def change(world: World) -> None:
    """One's own state: leave, come in, or change channels."""
    client = world.dice.choice(world.clients)
    channel_id = world.dice.choice((None, *CHANNELS))
    body: dict[str, Any] = {"channel_id": channel_id}
    if client.connection_id and world.dice.random() < 0.6:
        body["connection_id"] = client.connection_id
    answer = client.change(**body)
    if world.answered(answer, client.name, "changes", body) and channel_id is not None:
        client.channel_id, client.connection_id = channel_id, answer.json()["connection_id"]


def move(world: World) -> None:
    user_id, channel_id = world.dice.choice((BOB, MOIRA)), world.dice.choice((None, *CHANNELS))
    target = None if channel_id is None else str(channel_id)
    answer = moderate(Caller(ALICE), user_id, channel_id=target)
    world.answered(answer, "alice moves", user_id, "to", channel_id)


def mute(world: World) -> None:
    user_id, is_muted = world.dice.choice((BOB, MOIRA)), world.dice.random() < 0.5
    answer = moderate(Caller(ALICE), user_id, mute=is_muted)
    world.answered(answer, "alice mutes", user_id, is_muted)


def change_region(world: World) -> None:
    region = world.dice.choice((None, "us-west", "us-east"))
    answer = Caller(ALICE).patch(f"/channels/{VOICE}", {"rtc_region": region})
    world.answered(answer, "the room goes to", region)


def disconnect_all(world: World) -> None:
    answer = Caller(ALICE).post(f"/channels/{VOICE}/voice/disconnect")
    world.answered(answer, "everybody out of", VOICE)


def deliver(world: World) -> None:
    """One of the oldest webhooks; sometimes it will come once more."""
    pool, dice = world.pool, world.dice
    if not pool:
        return
    fake, event = pool[number := dice.randrange(min(len(pool), RECENT))]
    if dice.random() < 0.85:
        del pool[number]
    status = fake.webhooks.send(fake.webhooks.make(event))
    who = event.participant
    world.say(world.number(fake), "tells", event.event, who.identity, who.sid, "->", status)


def lose(world: World) -> None:
    """One of the webhooks never comes."""
    if world.pool:
        _, event = world.pool.pop(world.dice.randrange(len(world.pool)))
        world.say("lost:", event.event, event.participant.identity, event.participant.sid)
