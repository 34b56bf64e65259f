"""Which regions people see, and who may look."""

from __future__ import annotations

from typing import Any

import pytest

from fluxer.directory.models import Channel, Guild
from tests.regions.scene import menu, region, server
from tests.voice.scene import ALICE, BOB, CHARLIE, DM, GUILD, TEXT, VOICE, people

NEAR_OREGON = "latitude=37.7749&longitude=-122.4194"


@pytest.fixture(autouse=True)
def stage(db: None) -> None:
    people()
    region("us-west", name="West", emoji="🌲", latitude=45.5, longitude=-122.7)
    region("us-east", name="East", latitude=39, longitude=-77.5)
    region("dry", name="Dry")
    server("us-west", "b")
    server("us-west", "a", vip_only=True)
    server("us-west", "c", is_draining=True)
    server("us-east")


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [entry["id"] for entry in response.json()]


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_the_regions_open_to_the_caller_by_name() -> None:
    assert menu("/voice/regions", CHARLIE).json() == [
        {
            "id": "dry",
            "name": "Dry",
            "emoji": "",
            "optimal": False,
            "deprecated": True,
            "custom": False,
            "is_accessible": False,
            "servers": [],
        },
        {
            "id": "us-east",
            "name": "East",
            "emoji": "",
            "optimal": False,
            "deprecated": False,
            "custom": False,
            "is_accessible": True,
            "servers": [{"id": "a"}],
        },
        {
            "id": "us-west",
            "name": "West",
            "emoji": "🌲",
            "optimal": False,
            "deprecated": False,
            "custom": False,
            "is_accessible": True,
            "servers": [{"id": "b"}],
        },
    ]


def test_the_nearest_accessible_one_is_optimal() -> None:
    answer = menu(f"/voice/regions?{NEAR_OREGON}", BOB)
    assert [r["id"] for r in answer.json() if r["optimal"]] == ["us-west"]


def test_what_a_restriction_closes_is_not_shown_and_what_it_opens_is_custom() -> None:
    region("vip", vip_only=True)
    region("of-alice", allowed_user_ids=[ALICE])
    region("of-guild", allowed_guild_ids=[GUILD])
    assert ids(menu("/voice/regions", BOB)) == ["dry", "us-east", "us-west"]
    assert ids(menu("/voice/regions", ALICE)) == ["dry", "us-east", "of-alice", "us-west"]
    of_guild = menu(f"/guilds/{GUILD}/regions", BOB)
    assert ids(of_guild) == ["dry", "us-east", "of-guild", "us-west"]
    assert [r["id"] for r in of_guild.json() if r["custom"]] == ["of-guild"]
    Guild.objects.filter(pk=GUILD).update(features=["VIP_VOICE"])
    assert ids(menu(f"/channels/{VOICE}/rtc-regions", BOB)) == [
        "dry", "us-east", "of-guild", "vip", "us-west",
    ]  # fmt: skip
    assert ids(menu(f"/channels/{DM}/rtc-regions", BOB)) == ["dry", "us-east", "us-west"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("latitude=5", "longitude"),
        ("longitude=5", "latitude"),
        ("latitude=91&longitude=0", "latitude"),
        ("latitude=0&longitude=nan", "longitude"),
        ("latitude=&longitude=", "latitude"),
    ],
)
@pytest.mark.parametrize(
    "path_of_menu", ["/voice/regions", f"/guilds/{GUILD}/regions", f"/channels/{DM}/rtc-regions"]
)
def test_bad_coordinates_are_refused(query: str, path: str, path_of_menu: str) -> None:
    answer = menu(f"{path_of_menu}?{query}", BOB)
    assert refusal(answer) == (400, "INVALID_FORM_BODY")
    assert path in [fault["path"] for fault in answer.json()["errors"]]


def test_a_guilds_menu_is_for_its_members() -> None:
    assert refusal(menu("/guilds/999/regions", BOB)) == (404, "UNKNOWN_GUILD")
    assert refusal(menu(f"/guilds/{GUILD}/regions", CHARLIE)) == (404, "UNKNOWN_MEMBER")
    assert refusal(menu("/guilds/01/regions", BOB)) == (404, "NOT_FOUND")


def test_a_channels_menu_is_for_those_who_can_see_it() -> None:
    assert menu(f"/channels/{TEXT}/rtc-regions", BOB).status_code == 200
    assert refusal(menu("/channels/999/rtc-regions", BOB)) == (404, "UNKNOWN_CHANNEL")
    assert refusal(menu(f"/channels/{VOICE}/rtc-regions", CHARLIE)) == (404, "UNKNOWN_MEMBER")
    assert refusal(menu(f"/channels/{DM}/rtc-regions", CHARLIE)) == (404, "UNKNOWN_CHANNEL")
    hidden = [{"id": str(GUILD), "type": 0, "allow": "0", "deny": str(1 << 10)}]
    Channel.objects.filter(pk=VOICE).update(overwrites=hidden)
    assert refusal(menu(f"/channels/{VOICE}/rtc-regions", BOB)) == (403, "MISSING_PERMISSIONS")
    assert menu(f"/channels/{VOICE}/rtc-regions", ALICE).status_code == 200


def test_the_menu_costs_the_same_with_many_servers(django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        server(region(f"r{number}").pk)
    with django_assert_max_num_queries(2):
        assert len(ids(menu("/voice/regions", BOB))) == 33
