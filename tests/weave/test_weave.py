"""Some orders of events, and that the weave would notice what is wrong in one."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.core.management import call_command

from fluxer import livekit
from regions.models import Server
from tests.voice.scene import GUILD, VOICE
from tests.weave import machines
from tests.weave.run import judged, rest, weave
from tests.weave.weaver import Stop, Weaver
from tests.weave.world import World
from voice import due
from voice.models import VoiceState

ROOM = f"guild_{GUILD}_channel_{VOICE}"

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("number", range(4))
def test_whatever_the_order_of_events_tables_and_servers_agree_in_the_end(number: int) -> None:
    result = weave(seed=random.randrange(10**6))

    assert result.wrong == [], str(result)


def test_one_seed_is_one_order_of_events() -> None:
    logs = []
    for _ in range(2):
        logs.append(weave(seed=3, steps=40).log)
        call_command("flush", verbosity=0, interactive=False)

    assert logs[0] == logs[1]
    assert any("stopped before LiveKit" in line for line in logs[0])


@pytest.fixture
def weaver() -> Iterator[Weaver]:
    with ExitStack() as stack:
        yield Weaver(stack, World(stack, seed=0))


def enter(world: World) -> None:
    """The first client is in, and no webhook has told of it."""
    [client, *_] = world.clients
    client.visit = world.fakes[0].join(client.token(VOICE)["token"])


def make_due(world: World) -> None:
    due.mark((Server.objects.get(region_id="us-west").pk, ROOM))


@pytest.mark.parametrize(("kind", "is_listed"), [("held", True), ("kept", False)])
def test_an_act_is_stopped_before_what_it_asks_is_done_or_before_the_answer(
    weaver: Weaver, kind: Any, is_listed: bool
) -> None:
    weaver.play(make_due)
    weaver.play(machines.settle, Stop(kind, [lambda weaver: weaver.play(enter)]))

    assert VoiceState.objects.filter(joined_at__isnull=False).exists() == is_listed


@pytest.mark.parametrize(("grace", "is_wrong"), [(10, False), (10**6, True)])
def test_a_ghost_that_is_never_let_go_is_found(
    weaver: Weaver, settings: Any, grace: int, is_wrong: bool
) -> None:
    settings.VOICE_GHOST_GRACE = grace
    weaver.play(enter)
    weaver.play(make_due)
    weaver.play(machines.settle)
    visit = weaver.world.clients[0].visit
    assert visit is not None
    visit.vanish()
    rest(weaver)

    found = judged(weaver.world)
    assert any("ghost" in line for line in found) == bool(found) == is_wrong


def test_whoever_may_be_in_and_is_removed_is_found(weaver: Weaver) -> None:
    def remove(world: World) -> None:
        visit, server = world.clients[0].visit, Server.objects.get(region_id="us-west")
        assert visit is not None
        livekit.remove_participant(server.livekit, room=ROOM, identity=visit.identity)

    weaver.play(enter)
    assert weaver.world.wrong == []
    weaver.play(remove)
    assert any("may be in" in line for line in weaver.world.wrong)


def test_an_answer_that_says_our_fault_is_found(weaver: Weaver) -> None:
    answer = weaver.world.clients[0].ask()
    assert weaver.world.answered(answer, "asks")
    answer.status_code = 500
    assert not weaver.world.answered(answer, "asks")
    assert any("answered with 500" in line for line in weaver.world.wrong)
