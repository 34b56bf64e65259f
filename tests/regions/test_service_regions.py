"""How the back end keeps regions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from regions.models import Region
from tests.regions.scene import Back, faults, region, server

OREGON = {"latitude": 45.5, "longitude": -122.7}
FULL = {
    "name": "US West",
    "emoji": "🇺🇸",
    **OREGON,
    "is_default": True,
    "vip_only": True,
    "required_guild_features": ["A", "B"],
    "allowed_guild_ids": ["9223372036854775807"],
    "allowed_user_ids": ["1", "2"],
}


def test_a_region_is_put_and_read_back(back: Back) -> None:
    put = back.put("regions/us-west", **FULL)
    assert put.status_code == 201
    assert put.json() == {"id": "us-west", **FULL} == back.get("regions/us-west").json()


def test_putting_again_replaces_all_of_it(back: Back) -> None:
    back.put("regions/us-west", **FULL)
    put = back.put("regions/us-west", name="West")
    assert put.status_code == 200
    assert put.json() == {
        "id": "us-west",
        "name": "West",
        "emoji": "",
        "latitude": None,
        "longitude": None,
        "is_default": False,
        "vip_only": False,
        "required_guild_features": [],
        "allowed_guild_ids": [],
        "allowed_user_ids": [],
    }


def test_a_patch_touches_only_what_it_names(back: Back) -> None:
    back.put("regions/us-west", **FULL)
    patched = back.patch("regions/us-west", name="West", colour="blue")
    assert patched.status_code == 200
    assert patched.json() == {"id": "us-west", **FULL, "name": "West"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x\x00"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x", "emoji": None}, "emoji"),
        ({"name": "x", "is_default": 1}, "is_default"),
        ({"name": "x", "vip_only": "yes"}, "vip_only"),
        ({"name": "x", "latitude": 5}, "longitude"),
        ({"name": "x", "longitude": 5, "latitude": None}, "latitude"),
        ({"name": "x", "latitude": 91, "longitude": 0}, "latitude"),
        ({"name": "x", "latitude": 0, "longitude": "-180.1"}, "longitude"),
        ({"name": "x", "latitude": "nan", "longitude": 0}, "latitude"),
        ({"name": "x", "latitude": True, "longitude": 0}, "latitude"),
        ({"name": "x", "allowed_guild_ids": [1]}, "allowed_guild_ids.0"),
        ({"name": "x", "allowed_user_ids": ["1", "01"]}, "allowed_user_ids.1"),
        ({"name": "x", "allowed_user_ids": ["9223372036854775808"]}, "allowed_user_ids.0"),
        ({"name": "x", "allowed_user_ids": "1"}, "allowed_user_ids"),
        ({"name": "x", "allowed_user_ids": None}, "allowed_user_ids"),
        ({"name": "x", "required_guild_features": [""]}, "required_guild_features.0"),
        ({"name": "x", "required_guild_features": [["A"]]}, "required_guild_features.0"),
    ],
)
def test_a_bad_body_names_its_fault_and_writes_nothing(
    back: Back, body: dict[str, Any], path: str
) -> None:
    assert path in faults(back.put("regions/us-west", **body))
    assert not Region.objects.exists()


def test_a_patch_cannot_leave_one_coordinate(back: Back) -> None:
    back.put("regions/us-west", **FULL)
    assert faults(back.patch("regions/us-west", latitude=None)) == {"latitude": "REQUIRED"}
    assert Region.objects.get().latitude == OREGON["latitude"]
    assert back.patch("regions/us-west", latitude=None, longitude=None).status_code == 200


def test_the_default_flag_goes_from_one_to_the_other(back: Back) -> None:
    back.put("regions/us-west", name="West", is_default=True)
    assert back.put("regions/us-east", name="East", is_default=True).status_code == 201
    assert [r["is_default"] for r in back.get("regions").json()] == [True, False]
    assert back.patch("regions/us-west", is_default=True).status_code == 200
    assert list(Region.objects.filter(is_default=True)) == [Region(pk="us-west")]
    assert back.patch("regions/us-west", is_default=False).json()["is_default"] is False


def test_the_list_comes_in_id_order_by_pages(back: Back) -> None:
    for pk in ("c", "a", "b"):
        region(pk)
    assert [r["id"] for r in back.get("regions").json()] == ["a", "b", "c"]
    assert [r["id"] for r in back.get("regions?limit=1&after=a").json()] == ["b"]
    assert "limit" in faults(back.get("regions?limit=101"))


def test_a_region_goes_unless_it_has_servers(back: Back) -> None:
    region("us-west")
    server("us-west")
    refused = back.delete("regions/us-west")
    assert (refused.status_code, refused.json()["code"]) == (409, "CONFLICT")
    assert back.delete("regions/us-west/servers/a").status_code == 204
    assert back.delete("regions/us-west").status_code == 204
    assert back.delete("regions/us-west").status_code == 204


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_an_unknown_region_is_a_404(back: Back, method: str) -> None:
    answer = back.call(method, "regions/mars", {"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_VOICE_REGION")


@pytest.mark.parametrize("pk", ["US-West", "-us", "us_west", "u" * 65, "us%0A", "ü"])
def test_what_cannot_be_an_id_is_no_address(back: Back, pk: str) -> None:
    for method, body in (("PUT", {"name": "x"}), ("GET", None), ("DELETE", None)):
        answer = back.call(method, f"regions/{pk}", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_only_the_back_end_may(db: None) -> None:
    for headers in ({}, {"Authorization": "Bearer " + "x" * 40}):
        answer = Client(headers=headers).get("/service/regions")
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("exist", [True, False])
def test_however_many_take_the_flag_at_once_one_has_it_and_nobody_fails(exist: bool) -> None:
    names = [f"r{n}" for n in range(8)]
    if exist:
        for name in names:
            region(name)
    start = Barrier(len(names))

    def take(name: str) -> int:
        back = Back()
        start.wait()
        try:
            return int(back.put(f"regions/{name}", name=name, is_default=True).status_code)
        finally:
            connection.close()

    for _ in range(3):
        with ThreadPoolExecutor(len(names)) as pool:
            assert set(pool.map(take, names)) <= {200, 201}
        assert Region.objects.filter(is_default=True).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_create_the_same_region_both_succeed() -> None:
    start = Barrier(6)

    def put(_: int) -> int:
        back = Back()
        start.wait()
        try:
            return int(back.put("regions/new", name="New").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(put, range(6))) == [200, 200, 200, 200, 200, 201]
