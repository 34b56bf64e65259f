"""A room stays on its server: whatever is wished, live or idle, until the server is lost."""

from datetime import timedelta
from functools import partial
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.utils import timezone

from fluxer.directory.models import Channel
from regions.models import Region, Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.races import Rival, at_once
from tests.voice.scene import (
    ALICE,
    BOB,
    GUILD,
    MOIRA,
    VOICE,
    Caller,
    connect,
    server,
    written,
)
from voice import pins, tasks, tokens
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState
from voice.settlement import settle_room
from voice.states import seats

ROOM = f"guild_{GUILD}_channel_{VOICE}"


def cool_down() -> None:
    """Nobody knows any more whether LiveKit has the room."""
    RoomPin.objects.update(made_at=timezone.now() - timedelta(minutes=5))


def of(fake: FakeLiveKit) -> Server:
    return Server.objects.get(api_key=fake.key)


# Follow the pin


@pytest.mark.parametrize("wish", [{"region": "us-east"}, {"latitude": 39, "longitude": -77.5}, {}])
def test_nobodys_wishes_move_a_pin(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, wish: dict[str, Any]
):
    first = alice.token(region="us-west")
    cool_down()

    assert bob.token(**wish)["endpoint"] == first["endpoint"] == west.url
    assert east.calls == []
    assert RoomPin.objects.get().server == of(west)


@pytest.mark.parametrize("table", [Region, Server])
def test_who_is_not_let_into_a_region_follows_the_pin_there(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, table: Any
):
    region = {"region_id": "us-west"} if table is Server else {"pk": "us-west"}
    table.objects.filter(**region).update(allowed_user_ids=[ALICE])
    alice.token(region="us-west")

    assert bob.token()["endpoint"] == west.url


def test_but_may_not_ask_for_it_by_name(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller
):
    Region.objects.filter(pk="us-west").update(allowed_user_ids=[ALICE])
    alice.token(region="us-west")

    assert bob.ask(region="us-west").json()["code"] == "UNKNOWN_VOICE_REGION"


def test_an_idle_room_keeps_its_place(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller
):
    west.join(alice.token(region="us-west")["token"]).leave()
    assert RoomPin.objects.get().expires_at is not None

    assert bob.token(region="us-east")["endpoint"] == west.url
    assert RoomPin.objects.get().expires_at is None


def test_an_idle_room_loses_its_place_in_time(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, later: Any
):
    west.join(alice.token(region="us-west")["token"]).leave()
    later(settings.VOICE_PIN_TIMEOUT + 1)
    tasks.tidy()

    assert bob.token(region="us-east")["endpoint"] == east.url


@pytest.mark.parametrize(
    "state", ["is_draining", "failing_since", "suspect_until", "soft_connection_limit"]
)
def test_what_takes_no_new_rooms_keeps_its_old_ones(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, state: str
):
    alice.token(region="us-west")
    soon = timezone.now() + timedelta(minutes=1)
    value = {"is_draining": True, "soft_connection_limit": 1}.get(state, soon)
    Server.objects.filter(api_key=west.key).update(**{state: value})
    cool_down()

    assert bob.token()["endpoint"] == west.url
    # A call is a new room: the region's only server counts as full, but takes it.
    elsewhere = west if state == "soft_connection_limit" else east
    assert bob.token(103)["endpoint"] == elsewhere.url


# Cold rooms


def test_a_cold_room_is_made_again_where_it_is(west: FakeLiveKit, alice: Caller, bob: Caller):
    alice.token()
    west.restart()
    cool_down()

    west.join(bob.token()["token"])
    assert [call.method for call in west.calls] == ["CreateRoom", "CreateRoom"]


FAULTS = ["plain_500", "garbage", "page", "break", "redirect", "empty"]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_pinned_server_that_will_not_make_the_room_is_busy(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, kind: Any
):
    alice.token(region="us-west")
    cool_down()
    west.fault(kind, method="CreateRoom")
    before = written()

    answer = bob.ask()

    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "2"
    assert answer.json()["retry_after"] == 2
    assert east.calls == []
    assert written() == before


def test_with_somebody_in_the_room_the_token_is_for_it_all_the_same(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller
):
    west.join(alice.token(region="us-west")["token"])
    cool_down()
    west.fault("plain_500", method="CreateRoom")
    made_at = RoomPin.objects.get().made_at

    assert bob.token()["endpoint"] == west.url
    assert east.calls == []
    assert RoomPin.objects.get().made_at == made_at  # still cold


def test_a_seat_is_nobody_in_the_room(west: FakeLiveKit, alice: Caller, bob: Caller):
    alice.token()
    cool_down()
    west.fault("plain_500", method="CreateRoom")

    assert bob.ask().status_code == 503


def test_a_full_channel_is_full_before_its_server_is_asked(
    west: FakeLiveKit, alice: Caller, bob: Caller
):
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    alice.token()
    cool_down()
    with west.calls_during() as calls:
        assert bob.ask().json()["code"] == "VOICE_CHANNEL_FULL"
    assert calls == []


# A lost server


def lose(fake: FakeLiveKit, how: str) -> None:
    lost: dict[str, dict[str, Any]] = {
        "down": {"down_since": timezone.now()},
        "inactive": {"is_active": False},
    }
    Server.objects.filter(api_key=fake.key).update(**lost[how])


@pytest.mark.parametrize("how", ["down", "inactive"])
def test_the_next_token_moves_the_room_from_a_lost_server(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, how: str
):
    mine = alice.token(region="us-west")
    visit = west.join(mine["token"])
    his = bob.token()
    lose(west, how)

    hers = Caller(MOIRA).token()

    assert hers["endpoint"] == east.url
    pin = RoomPin.objects.get()
    assert (pin.server, pin.expires_at) == (of(east), None)
    assert DueRoom.objects.filter(server=of(west), room=ROOM).exists()
    for grant in (mine, his):
        state = VoiceState.objects.get(pk=grant["connection_id"])
        assert (state.server_id, state.joined_at, state.participant_sid) == (None, None, "")
        assert state.seat_until is not None
        held = (state.seat_until - timezone.now()).total_seconds()
        assert held == pytest.approx(settings.VOICE_DOWN_GRACE, abs=5)
    assert not EndedConnection.objects.exists()
    # They renew, and find each other on the new server.
    renewed = alice.token(connection_id=mine["connection_id"])
    assert renewed["connection_id"] == mine["connection_id"]
    assert renewed["endpoint"] == east.url
    east.join(renewed["token"])
    east.join(bob.token(connection_id=his["connection_id"])["token"])
    assert VoiceState.objects.filter(server=of(east), joined_at__isnull=False).count() == 2
    # And nobody is left in the old room, once its server answers.
    assert not settle_room(server_id=of(west).pk, room=ROOM) or how != "down"
    Server.objects.filter(pk=of(west).pk).update(down_since=None)
    settle_room(server_id=of(west).pk, room=ROOM)
    west.webhooks.deliver()
    assert not visit.inside
    assert VoiceState.objects.filter(joined_at__isnull=False).count() == 2


def test_a_renewal_moves_the_room_too(west: FakeLiveKit, east: FakeLiveKit, alice: Caller):
    mine = alice.token(region="us-west")
    west.join(mine["token"])
    lose(west, "down")

    renewed = alice.token(connection_id=mine["connection_id"])

    assert renewed["endpoint"] == east.url
    state = VoiceState.objects.get()
    assert (state.pk, state.server) == (mine["connection_id"], of(east))
    assert (state.joined_at, str(state.token_nonce)) == (None, renewed["token_nonce"])
    east.join(renewed["token"])
    assert VoiceState.objects.get().joined_at is not None


def test_the_old_token_is_worth_nothing_on_the_lost_server(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller
):
    mine = alice.token(region="us-west")
    lose(west, "down")
    alice.token(connection_id=mine["connection_id"])
    Server.objects.update(down_since=None)

    late = west.join(mine["token"])
    settle_room(server_id=of(west).pk, room=ROOM)

    assert not late.inside
    assert VoiceState.objects.get().server == of(east)


def test_newcomers_do_not_take_the_places_of_those_who_lost_their_server(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller
):
    Channel.objects.filter(pk=VOICE).update(user_limit=2)
    mine = alice.token(region="us-west")
    west.join(mine["token"])
    west.join(bob.token()["token"])
    lose(west, "down")
    moira = Caller(MOIRA)

    assert moira.ask().json()["code"] == "VOICE_CHANNEL_FULL"
    assert RoomPin.objects.get().server == of(west)  # a refusal moves nothing
    assert VoiceState.objects.filter(joined_at=None).count() == 0
    alice.token(connection_id=mine["connection_id"])
    assert moira.ask().json()["code"] == "VOICE_CHANNEL_FULL"


def test_their_seats_end_with_the_grace(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, later: Any
):
    Channel.objects.filter(pk=VOICE).update(user_limit=2)
    west.join(alice.token(region="us-west")["token"])
    west.join(bob.token()["token"])
    lose(west, "down")
    alice.token()
    later(settings.VOICE_DOWN_GRACE + 1)

    assert Caller(MOIRA).ask().status_code == 200


def test_no_other_server_leaves_everything_as_it_was(west: FakeLiveKit, alice: Caller):
    west.join(alice.token()["token"])
    lose(west, "down")
    before = written()

    assert alice.ask().json()["code"] == "FEATURE_TEMPORARILY_DISABLED"

    assert written() == before
    Server.objects.update(down_since=None)
    assert alice.token()["endpoint"] == west.url  # it came back first: nothing happened


def test_only_visible_changes_count_in_the_version(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller
):
    joined, seated = alice.token(region="us-west"), bob.token()
    west.join(joined["token"])
    before = dict(VoiceState.objects.values_list("pk", "version"))
    lose(west, "down")

    Caller(MOIRA).token()

    after = dict(VoiceState.objects.values_list("pk", "version"))
    assert after[joined["connection_id"]] == before[joined["connection_id"]] + 1
    assert after[seated["connection_id"]] == before[seated["connection_id"]]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_renewals_at_once_move_the_room_once(west: FakeLiveKit, east: FakeLiveKit):
    users = (ALICE, BOB, MOIRA)
    people = [Caller(user) for user in users for _ in range(4)]
    grants = [person.token(region="us-west") for person in people]
    lose(west, "down")

    renewed = at_once(
        [
            partial(person.token, connection_id=grant["connection_id"])
            for person, grant in zip(people, grants, strict=True)
        ]
    )

    assert {grant["endpoint"] for grant in renewed} == {east.url}
    assert set(VoiceState.objects.values_list("server", flat=True)) == {of(east).pk}
    assert {g["connection_id"] for g in grants} == {g["connection_id"] for g in renewed}


# Expiry against a join


def expiring() -> None:
    past = timezone.now() - timedelta(seconds=1)
    RoomPin.objects.update(expires_at=past)
    VoiceState.objects.all().delete()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_expiry_and_a_join_never_leave_anybody_without_a_pin(west: FakeLiveKit, alice: Caller):
    alice.token()
    for _ in range(20):
        expiring()
        expire: Any = partial(tasks.expire_pin, VOICE)
        _, grant, _ = at_once([expire, alice.token, expire])

        assert VoiceState.objects.get().pk == grant["connection_id"]
        assert RoomPin.objects.get().expires_at is None


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "unlocked"])
@pytest.mark.django_db(transaction=True)
def test_a_join_under_way_holds_off_the_expiry(
    west: FakeLiveKit, alice: Caller, monkeypatch: pytest.MonkeyPatch, locked: bool
):
    """With the lock taken out, the join is given a room whose pin has just gone."""
    alice.token()
    expiring()
    rival = Rival(partial(pins.expire, channel_id=VOICE))
    reserve = seats.reserve

    def interrupted(**values: Any) -> VoiceState:
        rival.let_in()
        return reserve(**values)

    monkeypatch.setattr(seats, "reserve", interrupted)
    if not locked:
        monkeypatch.setattr(tokens, "lock_channels", lambda ids: [])

    alice.token()

    assert rival.finish() is not locked
    assert RoomPin.objects.exists() is locked


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "unlocked"])
@pytest.mark.django_db(transaction=True)
def test_the_last_two_who_leave_at_once_do_not_each_see_the_other(
    west: FakeLiveKit,
    alice: Caller,
    bob: Caller,
    monkeypatch: pytest.MonkeyPatch,
    locked: bool,
):
    """With the lock taken out, each counts the other, and the pin never gets its time."""
    visits = [west.join(caller.token()["token"]) for caller in (alice, bob)]
    with west.webhooks.held() as held:
        for visit in visits:
            visit.leave()
    rival = Rival(partial(west.webhooks.send, held[1]))
    is_occupied = pins.is_occupied

    def interrupted(**values: Any) -> bool:
        counted = is_occupied(**values)
        rival.let_in()
        return counted

    monkeypatch.setattr(pins, "is_occupied", interrupted)
    if not locked:
        monkeypatch.setattr(
            "voice.states.lookup.lock_channels", lambda ids: Channel.objects.filter(pk__in=ids)
        )

    west.webhooks.send(held[0])

    assert rival.finish() == 200
    assert not VoiceState.objects.exists()
    assert (RoomPin.objects.get().expires_at is not None) is locked


def test_an_expiry_that_comes_early_or_late_is_harmless(
    west: FakeLiveKit, alice: Caller, later: Any
):
    tasks.expire_pin(VOICE)
    tasks.expire_pin(999)
    alice.token()
    tasks.expire_pin(VOICE)
    later(settings.VOICE_PIN_TIMEOUT + 1)
    tasks.expire_pin(VOICE)

    assert RoomPin.objects.exists()


def test_a_pin_that_nobody_timed_gets_its_time(west: FakeLiveKit, alice: Caller, later: Any):
    alice.token()
    VoiceState.objects.all().delete()
    tasks.tidy()
    assert RoomPin.objects.get().expires_at is not None

    later(settings.VOICE_PIN_TIMEOUT + 1)
    tasks.tidy()
    assert not RoomPin.objects.exists()


def test_the_pin_says_where_the_token_is_for(west: FakeLiveKit, fake_livekit: Any, alice: Caller):
    """Two servers with the same key: the endpoint is the pinned one's, and so is the secret."""
    twin = fake_livekit(key=west.key)
    server(twin)
    connect(twin)
    grant = alice.token()
    pinned = RoomPin.objects.get().server

    assert grant["endpoint"] == pinned.endpoint
    assert jwt.decode(grant["token"], pinned.api_secret, algorithms=["HS256"])
