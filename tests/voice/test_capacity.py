"""Never over the limit, however many ask at once."""

from functools import partial
from typing import Any

import pytest
from django.db import connection

from fluxer.directory.models import Channel
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.races import Rival, at_once
from tests.voice.scene import ALICE, BOB, DM, GROUP, MOIRA, VOICE, Caller, seat, written
from voice import tokens
from voice.models import RoomPin, VoiceState
from voice.states import seats

ROUNDS, THREADS, LIMIT = 20, 20, 5


def clear() -> None:
    VoiceState.objects.all().delete()
    RoomPin.objects.all().delete()


def limit_to(users: int, channel_id: int = VOICE) -> None:
    Channel.objects.filter(pk=channel_id).update(user_limit=users)


@pytest.fixture
def crowd(west: FakeLiveKit) -> list[Caller]:
    """As many members as there are threads."""
    scene.more_members(THREADS)
    return [Caller(1000 + n) for n in range(THREADS)]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_are_let_in_up_to_the_limit(crowd: list[Caller]):
    limit_to(LIMIT)
    for _ in range(ROUNDS):
        answers = at_once([caller.ask for caller in crowd])

        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] * LIMIT + [400] * (THREADS - LIMIT)
        codes = {a.json()["code"] for a in answers if a.status_code == 400}
        assert codes == {"VOICE_CHANNEL_FULL"}
        assert VoiceState.objects.values("user_id").distinct().count() == LIMIT
        assert VoiceState.objects.count() == LIMIT
        clear()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_devices_of_one_user_take_one_place(crowd: list[Caller]):
    limit_to(LIMIT)
    people = [Caller(1000 + n // 4) for n in range(THREADS + 4)]  # six people, four devices each

    answers = at_once([caller.ask for caller in people])

    assert VoiceState.objects.values("user_id").distinct().count() == LIMIT
    assert sum(answer.status_code == 200 for answer in answers) == 4 * LIMIT


class Between:
    """Has somebody else come in after the counting, before the seat is written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rival: Rival) -> None:
        reserve = seats.reserve

        def interrupted(**values: Any) -> VoiceState:
            if values["user_id"] == ALICE:
                rival.let_in()
            return reserve(**values)

        monkeypatch.setattr(seats, "reserve", interrupted)


def unlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "lock_channels", lambda ids: [])


@pytest.mark.django_db(transaction=True)
def test_who_counts_holds_the_others_off(
    west: FakeLiveKit, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
):
    limit_to(1)
    moira = Caller(MOIRA)
    moira.token()  # the room is warm and pinned: only the seats are fought for
    VoiceState.objects.all().delete()
    rival = Rival(bob.ask)
    Between(monkeypatch, rival)

    first = alice.ask()

    assert first.status_code == 200
    assert rival.finish().json()["code"] == "VOICE_CHANNEL_FULL"
    assert [state.user_id for state in VoiceState.objects.all()] == [ALICE]


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_it_would_be_overfilled(
    west: FakeLiveKit, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
):
    """What the test above is worth: the same race, with the lock taken out."""
    limit_to(1)
    moira = Caller(MOIRA)
    moira.token()
    VoiceState.objects.all().delete()
    rival = Rival(bob.ask)
    Between(monkeypatch, rival)
    unlock(monkeypatch)

    first = alice.ask()

    assert (first.status_code, rival.finish().status_code) == (200, 200)
    assert {state.user_id for state in VoiceState.objects.all()} == {ALICE, BOB}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_twenty_at_once_overfill_it(
    crowd: list[Caller], monkeypatch: pytest.MonkeyPatch
):
    limit_to(LIMIT)
    unlock(monkeypatch)

    def overfilled() -> bool:
        at_once([caller.ask for caller in crowd])
        users = VoiceState.objects.values("user_id").distinct().count()
        clear()
        return users > LIMIT

    assert any(overfilled() for _ in range(ROUNDS))


@pytest.mark.django_db(transaction=True)
def test_a_frozen_holder_of_the_lock_makes_it_busy_and_no_more(west: FakeLiveKit, alice: Caller):
    alice.token()

    def freeze() -> Any:
        answer = None
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM directory_channel WHERE id = %s FOR UPDATE", [VOICE])
            answer = at_once([alice.ask])[0]
            cursor.execute("ROLLBACK")
        return answer

    answer = freeze()

    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "1"
    assert VoiceState.objects.count() == 1
    assert alice.ask().status_code == 200


def test_a_limit_of_nought_is_none(west: FakeLiveKit, stage: None):
    limit_to(0)
    scene.more_members(30)
    for n in range(30):
        seat(1000 + n)

    assert Caller(BOB).ask().status_code == 200


def test_who_is_inside_always_passes(west: FakeLiveKit, alice: Caller, bob: Caller):
    alice.token()
    bob.token()
    limit_to(1)

    assert alice.ask().status_code == 200
    assert Caller(MOIRA).ask().json()["code"] == "VOICE_CHANNEL_FULL"


def test_reserved_seats_count_and_lapsed_ones_do_not(
    west: FakeLiveKit, alice: Caller, bob: Caller, later: Any
):
    limit_to(1)
    alice.token()
    later(119)
    assert bob.ask().json()["code"] == "VOICE_CHANNEL_FULL"

    later(2)
    assert bob.ask().status_code == 200
    # The one whose seat lapsed is no longer inside.
    assert alice.ask().json()["code"] == "VOICE_CHANNEL_FULL"


def test_who_is_in_counts_for_as_long_as_they_are(
    west: FakeLiveKit, alice: Caller, bob: Caller, later: Any
):
    limit_to(1)
    visit = west.join(alice.token()["token"])
    later(300)
    assert bob.ask().json()["code"] == "VOICE_CHANNEL_FULL"

    visit.leave()
    assert bob.ask().status_code == 200


@pytest.mark.parametrize("channel_id", [DM, GROUP])
def test_calls_have_limits_too(west: FakeLiveKit, alice: Caller, bob: Caller, channel_id: int):
    limit_to(1, channel_id)
    alice.token(channel_id)

    assert bob.ask(channel_id).json()["code"] == "VOICE_CHANNEL_FULL"


def test_a_full_channel_with_dead_servers_is_full(west: FakeLiveKit, alice: Caller, bob: Caller):
    limit_to(1)
    seat(ALICE)
    west.die()
    before = written()

    assert bob.ask().json()["code"] == "VOICE_CHANNEL_FULL"

    assert west.calls == []
    assert Server.objects.get().suspect_until is None
    assert written() == before


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_twenty_first_joins_make_one_pin(crowd: list[Caller], east: FakeLiveKit):
    """Half of them wish for another region, and the servers are equally good."""
    for _ in range(10):
        regions = ["us-west", "us-east"] * (THREADS // 2)
        joins = [
            partial(caller.token, region=region)
            for caller, region in zip(crowd, regions, strict=True)
        ]

        grants = at_once(joins)

        pin = RoomPin.objects.select_related("server").get()
        assert {grant["endpoint"] for grant in grants} == {pin.server.endpoint}
        assert set(VoiceState.objects.values_list("server_id", flat=True)) == {pin.server_id}
        assert VoiceState.objects.count() == THREADS
        assert pin.expires_at is None
        clear()
