"""The region change: everybody is out, and the next token is for the new region."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from fluxer.directory.models import Channel
from regions.models import Region
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.follow import follow
from tests.voice.orders import BackEnd, connection_of, enter
from tests.voice.races import at_once
from tests.voice.scene import ALICE, BOB, GUILD, VOICE, Caller
from voice import events, queue
from voice.models import AuditEntry, DueRoom, EndedConnection, RoomPin, VoiceState

PATH = f"/channels/{VOICE}"
ROOM = f"guild_{GUILD}_channel_{VOICE}"


def change(caller: Caller, region: str | None) -> Any:
    return caller.patch(PATH, {"rtc_region": region})


def refused(answer: Any) -> None:
    assert answer.status_code == 404
    assert answer.json() == {
        "code": "UNKNOWN_VOICE_REGION", "message": "Invalid or unavailable region",
    }  # fmt: skip


def test_saved_ended_unpinned_due(west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller):
    inside = [enter(west, alice), enter(west, bob)]
    bob.token()  # a seat

    answer = change(alice, "us-east")

    assert answer.json()["rtc_region"] == "us-east"
    assert not VoiceState.objects.exists()
    assert not RoomPin.objects.exists()
    assert DueRoom.objects.get().room == ROOM
    assert {ended.reason for ended in EndedConnection.objects.all()} == {"region_changed"}
    own = f"/guilds/{GUILD}/voice-states/@me?connection_id={connection_of(inside[1])}"
    assert bob.get(own).json()["reason"] == "region_changed"
    follow()
    assert not any(one.inside for one in inside)
    assert bob.token()["endpoint"] == east.url
    assert RoomPin.objects.get().server.region_id == "us-east"


def test_those_who_are_out_hear_where_to_go(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, monkeypatch: pytest.MonkeyPatch
):
    enter(west, alice)
    told: list[events.Event] = []
    monkeypatch.setattr(events, "_after_commit", told.append)
    change(alice, "us-east")

    [update] = [event for event in told if event.type == "VOICE_SERVER_UPDATE"]
    assert update.data["reason"] == "region_changed"
    assert update.user_id == ALICE
    assert "CHANNEL_UPDATE" in {event.type for event in told}


def test_who_was_only_away_does_not_return(west: FakeLiveKit, east: FakeLiveKit, alice: Caller):
    participant = enter(west, alice)
    token = participant.refreshed_token()
    participant.leave()

    change(alice, "us-east")
    again = west.join(token)
    follow()

    assert not again.inside


def test_the_same_value_is_no_change(west: FakeLiveKit, east: FakeLiveKit, alice: Caller):
    change(alice, "us-west")
    participant = enter(west, alice)
    before = scene.written()

    assert change(alice, "us-west").status_code == 200
    BackEnd().do("PATCH", PATH, {"rtc_region": "us-west"})
    BackEnd().do("PUT", PATH, {"type": 2, "guild_id": str(GUILD)})
    follow()

    assert scene.written() == before
    assert participant.inside


def test_null_is_a_change_too(west: FakeLiveKit, east: FakeLiveKit, alice: Caller):
    change(alice, "us-east")
    participant = enter(east, alice)

    assert change(alice, None).json()["rtc_region"] is None
    follow()

    assert not participant.inside
    assert alice.token()["endpoint"] == west.url


def test_an_unknown_region_changes_nothing(west: FakeLiveKit, alice: Caller):
    participant = enter(west, alice)
    before = scene.written()

    refused(change(alice, "mars"))
    refused(alice.patch(PATH, {"rtc_region": "mars", "user_limit": 7}))
    follow()

    assert scene.written() == before
    assert participant.inside
    assert Channel.objects.get(pk=VOICE).user_limit == 0


@pytest.mark.parametrize(
    "closed",
    [{"vip_only": True}, {"required_guild_features": ["X"]}, {"allowed_guild_ids": [77]},
     {"allowed_user_ids": [ALICE]}],
)  # fmt: skip
def test_a_region_closed_to_the_guild_changes_nothing(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, closed: dict[str, Any]
):
    Region.objects.filter(pk="us-east").update(**closed)
    before = scene.written()

    refused(change(alice, "us-east"))

    assert scene.written() == before


def test_through_the_back_end_it_is_the_same_change(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, back_end: BackEnd
):
    participant = enter(west, alice)

    back_end.do("PATCH", PATH, {"rtc_region": "us-east"})
    follow()

    assert not participant.inside
    assert not RoomPin.objects.exists()
    assert AuditEntry.objects.get().action == "change_region"


def test_twice_quickly_the_last_wins(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller
):
    first = enter(west, alice)
    change(alice, "us-east")
    second = enter(east, bob)
    change(alice, "us-west")
    follow()

    assert not first.inside
    assert not second.inside
    assert alice.token()["endpoint"] == west.url


@pytest.mark.parametrize("target", ["us-west", "us-east"])
def test_a_newcomer_between_the_change_and_the_task_stays(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, target: str
):
    """On the same server too: the old room's name is the new one's."""
    old = enter(west, alice)
    change(alice, target)
    server = west if target == "us-west" else east
    newcomers = [enter(server, bob), enter(server, alice)]
    follow()
    follow()

    assert not old.inside
    assert all(newcomer.inside for newcomer in newcomers)


@pytest.fixture
def crowd(db: None, fake_livekit: Callable[[], FakeLiveKit]) -> tuple[FakeLiveKit, list[Any]]:
    """Fifty people who are in."""
    scene.people(members=50)
    fake = fake_livekit()
    scene.server(fake)
    scene.server(fake_livekit(), "us-east")
    scene.connect(fake)
    people = [enter(fake, Caller(1000 + n)) for n in range(50)]
    return fake, people


def test_fifty_people_are_out_by_one_task(crowd: tuple[FakeLiveKit, list[Any]], alice: Caller):
    fake, people = crowd
    change(alice, "us-east")

    with fake.fault("slow", method="RemoveParticipant", seconds=0.2):
        began = timezone.now()
        follow()
        seconds = (timezone.now() - began).total_seconds()

    assert not any(one.inside for one in people)
    assert seconds < 50 * 0.2 / 4, "one after the other"


def test_one_removal_that_fails_holds_up_nobody_and_is_tried_again(
    crowd: tuple[FakeLiveKit, list[Any]], alice: Caller, later: Callable[[float], None]
):
    fake, people = crowd
    change(alice, "us-east")

    unlucky = people[17]
    with fake.fault("error", method="RemoveParticipant", identity=unlucky.identity):
        follow()
        assert [one for one in people if one.inside] == [unlucky]
        assert DueRoom.objects.get().attempts == 1
    later(2)
    follow()

    assert not unlucky.inside


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_against_first_joins_nobody_lands_in_the_old_region(
    west: FakeLiveKit, east: FakeLiveKit, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "_publish", lambda *args: None)
    regions, fakes = ("us-east", "us-west"), {"us-west": west, "us-east": east}
    change(Caller(ALICE), "us-west")
    for turn in range(20):
        region = regions[turn % 2]
        results: list[Any] = at_once(
            [
                lambda: Caller(BOB).ask(),
                partial(change, Caller(ALICE), region),
                lambda: Caller(ALICE).ask(),
            ]
        )
        assert results[1].status_code == 200
        assert {answer.status_code for answer in results} <= {200, 503}
        live = set(VoiceState.objects.values_list("server__region_id", flat=True))
        assert live <= {region}
        assert {pin.server.region_id for pin in RoomPin.objects.all()} <= {region}
        for grant in [answer.json() for answer in results[::2] if answer.status_code == 200]:
            for fake in fakes.values():
                if grant["endpoint"] == fake.url:
                    fake.join(grant["token"])
        follow()
        for name, fake in fakes.items():
            assert name == region or not fake.identities(ROOM)
