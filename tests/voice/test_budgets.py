"""What a token costs: LiveKit calls and SQL statements, whatever the size of anything."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from time_machine import TimeMachineFixture

from fluxer.directory.models import Channel, Member, Role
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.scene import ALICE, BOB, GUILD, OTHER_VOICE, VOICE, Caller, seat

# A second token: the caller, the look, BEGIN, the lock, the look again, the seat, COMMIT.
SECOND = 7
REPLACING = 13
FIRST = 11
JOINED = 8
NEAR = {"latitude": 40, "longitude": -75}

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL of this thread meanwhile, BEGIN and COMMIT included."""
    sql: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield sql
    sql += [query["sql"] for query in captured]


def cost(fake: FakeLiveKit, ask: Callable[[], Any]) -> tuple[list[str], list[str]]:
    """The statements and the LiveKit calls of one request."""
    with fake.calls_during() as calls, statements() as sql:
        ask()
    return sql, [call.method for call in calls]


@pytest.fixture
def warm(west: FakeLiveKit, bob: Caller, time_machine: TimeMachineFixture) -> FakeLiveKit:
    """Bob's token has just made the room, and it stays just now."""
    bob.token()
    time_machine.move_to(timezone.now(), tick=False)
    return west


@pytest.mark.parametrize(
    "body",
    [{}, {"region": "us-west"}, NEAR, {"region": "us-west", **NEAR}],
    ids=["plain", "with a region", "with a place", "with everything"],
)
def test_a_second_token_asks_no_server_and_few_questions(
    warm: FakeLiveKit, alice: Caller, body: dict[str, Any]
):
    sql, calls = cost(warm, lambda: alice.token(**body))

    assert calls == []
    assert len(sql) <= SECOND <= 8, sql
    assert {"BEGIN", "COMMIT"} <= set(sql)


def test_with_a_session_it_costs_the_same(warm: FakeLiveKit):
    sql, calls = cost(warm, Caller(ALICE, sid="phone").token)

    assert calls == []
    assert len(sql) <= SECOND, sql


def test_a_renewal_costs_the_same(warm: FakeLiveKit, alice: Caller):
    connection_id = alice.token()["connection_id"]
    sql, calls = cost(warm, lambda: alice.token(connection_id=connection_id))

    assert calls == []
    assert len(sql) <= SECOND, sql


def test_only_a_device_that_asks_again_has_the_room_looked_for(
    warm: FakeLiveKit, time_machine: TimeMachineFixture
):
    """LiveKit refreshes the token of who is in: this one has lost the link, or the room is lost."""
    phone, desktop = Caller(ALICE, sid="phone"), Caller(ALICE, sid="desktop")
    mine = phone.token()["connection_id"]
    time_machine.shift(1.5)

    assert cost(warm, desktop.token)[1] == []
    assert cost(warm, lambda: phone.token(connection_id=mine))[1] == ["CreateRoom"]
    time_machine.shift(0.5)
    assert cost(warm, phone.token)[1] == []
    time_machine.shift(1.5)
    assert cost(warm, phone.token)[1] == ["CreateRoom"]


@pytest.mark.parametrize("channel", [VOICE, OTHER_VOICE])
def test_ending_the_sessions_older_one_costs_a_few_more(warm: FakeLiveKit, channel: int):
    phone = Caller(ALICE, sid="phone")
    Caller(BOB).token(OTHER_VOICE)
    phone.token(channel)

    sql, calls = cost(warm, phone.token)

    assert calls == []
    assert len(sql) <= REPLACING, sql


def sizes() -> None:
    """5,000 members, 200 roles of which alice has all, 200 overwrites, 90 people in the channel."""
    scene.more_members(5_000)
    roles = [Role(pk=5_000 + n, guild_id=GUILD, name=f"role{n}", permissions=n) for n in range(200)]
    Role.objects.bulk_create(roles)
    Member.objects.filter(user_id=ALICE).update(role_ids=[role.pk for role in roles])
    overwrites = [
        {"id": str(5_000 + n), "type": 0, "allow": "1024", "deny": "0"} for n in range(200)
    ]
    Channel.objects.filter(pk=VOICE).update(overwrites=overwrites)
    for n in range(90):
        seat(1_000 + n, server=Server.objects.get(), is_joined=n % 2 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("body", [{}, {"region": "us-west"}], ids=["plain", "with a region"])
def test_nothing_makes_it_grow(warm: FakeLiveKit, alice: Caller, body: dict[str, Any]):
    small, _ = cost(warm, lambda: alice.token(**body))
    sizes()

    large, calls = cost(warm, lambda: alice.token(**body))

    assert calls == []
    assert len(large) == len(small)


def test_a_first_join_asks_one_server_once(west: FakeLiveKit, east: FakeLiveKit, alice: Caller):
    with east.calls_during() as none:
        sql, calls = cost(west, lambda: alice.token(region="us-west"))

    assert (calls, none) == (["CreateRoom"], [])
    assert len(sql) <= FIRST, sql


@pytest.mark.slow
def test_nothing_makes_the_first_join_grow(west: FakeLiveKit, alice: Caller):
    small, _ = cost(west, lambda: alice.token(OTHER_VOICE))
    sizes()

    large, calls = cost(west, lambda: alice.token(VOICE))

    assert calls == ["CreateRoom"]
    assert len(large) == len(small)


def test_a_room_that_is_cold_is_asked_for_once(warm: FakeLiveKit, alice: Caller, settings: Any):
    settings.VOICE_ROOM_WARM = 0
    sql, calls = cost(warm, alice.token)

    assert calls == ["CreateRoom"]
    assert len(sql) <= SECOND + 1, sql  # and the pin is told


def test_a_refusal_is_cheaper_than_a_token(warm: FakeLiveKit, alice: Caller):
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    sql, calls = cost(warm, alice.ask)

    assert calls == []
    assert len(sql) == 2, sql  # the caller, and the look


def test_hearing_of_a_join_is_short(warm: FakeLiveKit, alice: Caller):
    token = alice.token()["token"]
    warm.webhooks.deliver()  # what it told of the room
    sql, calls = cost(warm, lambda: warm.join(token))

    assert calls == []
    assert len(sql) <= JOINED, sql


@pytest.mark.slow
def test_nothing_makes_it_longer(warm: FakeLiveKit, alice: Caller):
    warm.webhooks.deliver()
    tokens = [alice.token()["token"] for _ in range(2)]
    small, _ = cost(warm, lambda: warm.join(tokens[0]))
    sizes()

    large, _ = cost(warm, lambda: warm.join(tokens[1]))

    assert len(large) == len(small)
