"""Where a new room goes, and what happens when the server that was chosen will not have it."""

import time
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from fluxer.directory.models import Channel
from fluxer.livekit import ProbeResult
from regions import health
from regions.models import Region, Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.races import at_once
from tests.voice.scene import (
    ALICE,
    BOB,
    GROUP,
    OTHER_VOICE,
    VOICE,
    Caller,
    connect,
    seat,
    server,
    written,
)
from voice import placement
from voice.models import RoomPin

NEAR_EAST = {"latitude": 40, "longitude": -75}
NEAR_CENTRAL = {"latitude": "50", "longitude": "9"}


@pytest.fixture
def central(stage: None, fake_livekit: Any) -> FakeLiveKit:
    """A third server, in eu-central."""
    fake: FakeLiveKit = fake_livekit()
    server(fake, "eu-central")
    connect(fake)
    return fake


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A try lasts half a second, and all of them 1.2 s."""
    monkeypatch.setattr(placement, "ONE_TRY", 0.5)
    monkeypatch.setattr(placement, "ALL_TRIES", 1.2)


def row(fake: FakeLiveKit) -> Server:
    return Server.objects.get(api_key=fake.key)


def place_in(region: str, channel_id: int = VOICE) -> None:
    Channel.objects.filter(pk=channel_id).update(rtc_region=region)


# Which region

ORDER = [
    ("the channel's region", "us-east", {"region": "us-west", **NEAR_CENTRAL}, "us-east"),
    ("else the body's", None, {"region": "eu-central", **NEAR_EAST}, "eu-central"),
    ("else the nearest", None, NEAR_CENTRAL, "eu-central"),
    ("else the default", None, {}, "us-west"),
    ("the channel's is unknown: the nearest", "atlantis", NEAR_EAST, "us-east"),
    ("the channel's is unknown: the first", "atlantis", {}, "eu-central"),
]


@pytest.mark.parametrize(
    ("rtc_region", "body", "region"), [pytest.param(*case[1:], id=case[0]) for case in ORDER]
)
def test_the_first_preference_that_there_is_decides(
    west: FakeLiveKit,
    east: FakeLiveKit,
    central: FakeLiveKit,
    alice: Caller,
    rtc_region: str | None,
    body: dict[str, Any],
    region: str,
):
    Channel.objects.filter(pk=VOICE).update(rtc_region=rtc_region)

    grant = alice.token(**body)

    pin = RoomPin.objects.get()
    assert pin.server.region_id == region
    assert grant["endpoint"] == pin.server.endpoint
    assert sum(len(fake.calls) for fake in (west, east, central)) == 1


def test_the_configured_default_goes_before_the_flagged_one(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, settings: Any
):
    settings.VOICE_DEFAULT_REGION = "us-east"

    assert alice.token()["endpoint"] == east.url


def test_an_open_region_without_a_working_server_falls_back(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller
):
    Server.objects.filter(api_key=east.key).update(down_since=timezone.now())

    assert alice.token(region="us-east")["endpoint"] == west.url
    assert east.calls == []


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize(
    "restriction",
    [
        {"vip_only": True},
        {"required_guild_features": ["ROUGE"]},
        {"allowed_guild_ids": [11]},
        {"allowed_user_ids": [BOB]},
    ],
    ids=lambda restriction: next(iter(restriction)),
)
def test_a_region_that_is_closed_to_the_caller_is_unknown(
    west: FakeLiveKit,
    east: FakeLiveKit,
    alice: Caller,
    bob: Caller,
    restriction: dict[str, Any],
    pinned: bool,
):
    if pinned:
        alice.token(region="us-east")
    Region.objects.filter(pk="us-east").update(**restriction)

    assert alice.ask(region="us-east").json()["code"] == "UNKNOWN_VOICE_REGION"


def test_a_renewal_looks_at_the_region_too(west: FakeLiveKit, alice: Caller):
    grant = alice.token()
    answer = alice.ask(region="atlantis", connection_id=grant["connection_id"])

    assert answer.json()["code"] == "UNKNOWN_VOICE_REGION"


def test_a_region_without_servers_is_open_and_falls_back(west: FakeLiveKit, alice: Caller):
    Region.objects.create(pk="empty", name="Empty")

    assert alice.token(region="empty")["endpoint"] == west.url


def test_a_server_that_is_closed_to_the_caller_is_not_tried(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller
):
    Server.objects.filter(api_key=east.key).update(allowed_user_ids=[BOB])

    assert alice.token(region="us-east")["endpoint"] == west.url
    assert east.calls == []


def test_a_server_that_lies_elsewhere_in_the_region_takes_the_load(
    west: FakeLiveKit, fake_livekit: Any, alice: Caller
):
    second = fake_livekit()
    server(second)
    for _ in range(3):
        seat(BOB, GROUP, server=row(west))

    assert alice.token()["endpoint"] == second.url


# A server that fails

FAULTS: dict[str, dict[str, Any]] = {
    "error": {},
    "plain_500": {},
    "garbage": {},
    "page": {},
    "break": {},
    "empty": {},
    "redirect": {"location": "/twirp/livekit.RoomService/CreateRoom"},
    "gone": {"code": "not_found"},
    "forbidden": {"code": "unauthenticated"},
    "busy": {"code": "resource_exhausted"},
    "hang": {},
    "unanswered": {},
}


@pytest.mark.parametrize("kind", [*FAULTS, "refuse"])
def test_the_next_server_takes_the_room_in_the_same_request(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, kind: Any, request: pytest.FixtureRequest
):
    if kind in ("hang", "unanswered"):
        request.getfixturevalue("impatient")
    if kind == "refuse":
        west.refuse()
    else:
        fault: Any = "error" if "code" in FAULTS[kind] else kind
        west.fault(fault, method="CreateRoom", **FAULTS[kind])

    grant = alice.token(region="us-west")

    assert grant["endpoint"] == east.url
    assert RoomPin.objects.get().server == row(east)
    until = row(west).suspect_until
    assert until is not None
    assert until > timezone.now()
    assert row(east).suspect_until is None
    east.join(grant["token"])


def test_a_secret_that_is_wrong_is_a_failure_too(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller
):
    wrong = row(west)
    wrong.api_secret = "another-secret-of-enough-characters"
    wrong.save()

    assert alice.token(region="us-west")["endpoint"] == east.url


def test_what_failed_one_is_suspect_for_everybody_until_the_next_probe(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller
):
    with west.fault("plain_500", method="CreateRoom"):
        alice.token(region="us-west")
    asked = len(west.calls)

    assert bob.token(OTHER_VOICE, region="us-west")["endpoint"] == east.url
    assert len(west.calls) == asked

    now = timezone.now()
    health.probed({row(west).pk: ProbeResult(True, 1.0)}, begun_at=now, now=now)
    assert bob.token(GROUP, region="us-west")["endpoint"] == west.url


def test_all_servers_failing_is_said_and_nothing_is_written(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller
):
    for fake in (west, east):
        fake.fault("plain_500", method="CreateRoom")
    before = written()

    answer = alice.ask()

    assert (answer.status_code, answer.json()["code"]) == (503, "FEATURE_TEMPORARILY_DISABLED")
    assert int(answer.headers["Retry-After"]) == answer.json()["retry_after"] >= 1
    assert (len(west.calls), len(east.calls)) == (1, 1)
    assert written() == before


@pytest.mark.parametrize(
    "why",
    [
        {"is_active": False},
        {"is_draining": True},
        {"down_since": timezone.now()},
        {"failing_since": timezone.now()},
        {"allowed_user_ids": [BOB]},
    ],
    ids=lambda why: next(iter(why)),
)
def test_a_server_that_takes_no_new_rooms_is_not_asked(
    west: FakeLiveKit, alice: Caller, why: dict[str, Any]
):
    Server.objects.update(**why)

    assert alice.ask().json()["code"] == "FEATURE_TEMPORARILY_DISABLED"
    assert west.calls == []


def test_without_any_server_it_is_disabled(stage: None, alice: Caller):
    assert alice.ask().json()["code"] == "FEATURE_TEMPORARILY_DISABLED"


def test_other_regions_are_tried_by_their_distance_from_the_one_wanted(
    west: FakeLiveKit, east: FakeLiveKit, central: FakeLiveKit, alice: Caller
):
    """us-east is nearer to eu-central than us-west is."""
    asked: list[str] = []
    for fake in (west, east, central):
        fake.fault("plain_500", method="CreateRoom")
    for fake in (west, east, central):
        record(fake, asked)

    alice.ask(region="eu-central")

    assert asked == [central.key, east.key, west.key]


def record(fake: FakeLiveKit, asked: list[str]) -> None:
    """Note whom the call came to, in the order of arrival."""

    class Calls(list[Any]):
        def append(self, call: Any) -> None:
            asked.append(fake.key)
            super().append(call)

    fake.calls = Calls()


# Deadlines


@pytest.mark.usefixtures("impatient")
def test_a_try_has_its_deadline(west: FakeLiveKit, east: FakeLiveKit, alice: Caller):
    west.fault("hang", method="CreateRoom")
    began = time.monotonic()

    alice.token(region="us-west")

    assert 0.5 <= time.monotonic() - began < 1.2


@pytest.mark.usefixtures("impatient")
def test_all_tries_together_have_one_too(stage: None, fake_livekit: Any, alice: Caller):
    fakes = [fake_livekit() for _ in range(5)]
    for fake in fakes:
        server(fake)
        fake.fault("hang", method="CreateRoom")
    began = time.monotonic()

    answer = alice.ask()

    assert answer.json()["code"] == "FEATURE_TEMPORARILY_DISABLED"
    assert 1.2 <= time.monotonic() - began < 2.5
    # Half a second, again, and what is left; the others were never asked.
    assert sorted(len(fake.calls) for fake in fakes) == [0, 0, 1, 1, 1]


def test_the_deadlines_are_those_of_the_contract():
    assert (placement.ONE_TRY, placement.ALL_TRIES) == (2.0, 6.0)
    patience = placement.Patience()
    assert 1.9 < patience.next_try <= 2.0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_hanging_server_holds_no_lock(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller
):
    """Alice waits for a server that hangs; bob's join of the same channel does not wait for her."""
    fault = west.fault("hang", method="CreateRoom", times=1)

    def hers() -> Any:
        return alice.token(region="us-west")

    def his() -> tuple[Any, float]:
        while not fault.hits:
            time.sleep(0.01)
        began = time.monotonic()
        return bob.token(region="us-east"), time.monotonic() - began

    mine, (other, took) = at_once([hers, his])

    assert took < 1
    # And she follows the pin that he made meanwhile, whatever answered her.
    assert mine["endpoint"] == other["endpoint"] == east.url


# What moves while the room is made


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["rtc_region", "pin"])
def test_what_changed_under_way_is_acted_on(
    west: FakeLiveKit,
    east: FakeLiveKit,
    alice: Caller,
    bob: Caller,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
):
    made = placement.place

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        placed = made(*args, **kwargs)
        if not interruptions:
            interruptions.append(change)
            meanwhile = (
                partial(place_in, "us-east") if change == "rtc_region"
                else partial(bob.token, region="us-east")
            )  # fmt: skip
            at_once([meanwhile])
        return placed

    interruptions: list[str] = []
    monkeypatch.setattr("voice.tokens.place", interrupted)

    assert alice.token()["endpoint"] == east.url
    assert RoomPin.objects.get().server == row(east)


@pytest.mark.django_db(transaction=True)
def test_who_has_to_start_again_too_often_is_told_to_come_back(
    west: FakeLiveKit, alice: Caller, monkeypatch: pytest.MonkeyPatch
):
    made, tries = placement.place, list[str]()

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        tries.append(f"region-{len(tries)}")
        at_once([partial(place_in, tries[-1])])
        return made(*args, **kwargs)

    monkeypatch.setattr("voice.tokens.place", interrupted)
    before = written()

    answer = alice.ask()

    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "1"
    assert len(tries) == 3
    assert written() == before


@pytest.mark.django_db(transaction=True)
def test_a_server_deleted_under_way_is_not_pinned(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, monkeypatch: pytest.MonkeyPatch
):
    made = placement.place

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        placed = made(*args, **kwargs)
        at_once([lambda: Server.objects.filter(api_key=west.key).delete()])
        return placed

    monkeypatch.setattr("voice.tokens.place", interrupted)

    assert alice.token(region="us-west")["endpoint"] == east.url


def test_the_rights_are_looked_at_again_under_the_lock(
    west: FakeLiveKit, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
):
    """Bob is banned, and the channel fills up, while his room is being made."""
    made = placement.place

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        Channel.objects.filter(pk=VOICE).update(user_limit=1)
        seat(ALICE)
        return made(*args, **kwargs)

    monkeypatch.setattr("voice.tokens.place", interrupted)

    assert bob.ask().json()["code"] == "VOICE_CHANNEL_FULL"
    assert not RoomPin.objects.exists()
