"""`rtc_region` from the back end: a region that takes the guild, and everybody in is out."""

from typing import Any

import pytest
from django.utils import timezone

from fluxer.directory.models import Channel
from regions.models import Region, Server
from tests.directory.cast import BOB, DM, GUILD, VOICE, BackEnd, fault, refused
from tests.directory.seats import seat
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState

PATH = f"channels/{VOICE}"


@pytest.fixture
def regions(backend: BackEnd) -> None:
    Region.objects.create(pk="us-west", name="US West")
    Region.objects.create(pk="us-east", name="US East")
    Region.objects.create(pk="vip", name="VIP", vip_only=True)
    Region.objects.create(pk="friends", name="Friends", allowed_user_ids=[BOB])


@pytest.fixture
def pin(regions: None) -> RoomPin:
    """Bob has a seat in the voice channel, whose room is pinned."""
    server = Server.objects.create(
        region_id="us-west",
        slug="a",
        endpoint="wss://a.example",
        api_key="key",
        api_secret="s" * 32,
    )
    seat(BOB, VOICE, server=server)
    now = timezone.now()
    return RoomPin.objects.create(channel_id=VOICE, server=server, pinned_at=now, made_at=now)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_another_region_ends_every_connection_and_takes_the_pin(
    backend: BackEnd, pin: RoomPin, method: str
) -> None:
    answer = backend.call(method, PATH, {"rtc_region": "us-east"})
    assert (answer.status_code, answer.json()["rtc_region"]) == (200, "us-east")
    assert not VoiceState.objects.exists()
    assert not RoomPin.objects.exists()
    assert EndedConnection.objects.get().reason == "region_changed"
    assert DueRoom.objects.get().room == f"guild_{GUILD}_channel_{VOICE}"


def test_null_is_another_value_too(backend: BackEnd, pin: RoomPin) -> None:
    Channel.objects.filter(pk=VOICE).update(rtc_region="us-west")
    assert backend.patch(PATH, rtc_region=None).status_code == 200
    assert not VoiceState.objects.exists()


@pytest.mark.parametrize("stored", [None, "us-west", "vip", "closed-down"])
def test_the_same_value_changes_nothing_even_where_it_would_be_refused(
    backend: BackEnd, pin: RoomPin, stored: str | None
) -> None:
    Channel.objects.filter(pk=VOICE).update(rtc_region=stored)
    assert backend.patch(PATH, rtc_region=stored).status_code == 200
    assert backend.put(PATH, name="renamed").json()["rtc_region"] == stored
    assert VoiceState.objects.exists()
    assert RoomPin.objects.exists()


@pytest.mark.parametrize("region", ["mars", "vip", "friends", "US-West"])
def test_a_region_that_is_unknown_or_closed_is_refused(
    backend: BackEnd, pin: RoomPin, region: str
) -> None:
    answer = backend.patch(PATH, rtc_region=region, name="renamed")
    assert fault(answer) == refused("rtc_region", "UNKNOWN_VOICE_REGION")
    assert VoiceState.objects.exists()
    assert backend.read(PATH)["name"] == "voice"


def test_a_guild_with_the_feature_may_have_a_vip_region(backend: BackEnd, regions: None) -> None:
    backend.patch(f"guilds/{GUILD}", features=["VIP_VOICE"])
    assert backend.patch(PATH, rtc_region="vip").status_code == 200
    assert fault(backend.patch(f"channels/{DM}", rtc_region="vip")) == refused(
        "rtc_region", "UNKNOWN_VOICE_REGION"
    )


@pytest.mark.parametrize(
    ("region", "status"), [("us-west", 201), (None, 201), ("mars", 400), (7, 400), ("", 400)]
)
def test_a_new_channel_may_have_one(
    backend: BackEnd, regions: None, region: Any, status: int
) -> None:
    answer = backend.put("channels/200", type=2, guild_id=str(GUILD), rtc_region=region)
    assert answer.status_code == status
    assert Channel.objects.filter(pk=200).exists() is (status == 201)
