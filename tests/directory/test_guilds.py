"""The back end tells of guilds, and of who owns them."""

from typing import Any

import pytest

from fluxer.directory.models import Channel, Guild, Member, RightsChange, Role
from fluxer.directory.permissions import Permission
from tests.directory.cast import (
    ALICE,
    BOB,
    CHARLIE,
    GUILD,
    TEXT,
    VOICE,
    BackEnd,
    fault,
    refused,
)

PATH = f"guilds/{GUILD}"


def test_put_creates_then_replaces(backend: BackEnd) -> None:
    created = backend.put("guilds/20", name="second", owner_id=str(BOB), features=["VIP_VOICE"])
    assert created.status_code == 201
    replaced = backend.put("guilds/20", name="renamed", owner_id=str(BOB))
    assert replaced.status_code == 200
    assert (
        backend.read("guilds/20")
        == replaced.json()
        == {
            "id": "20",
            "name": "renamed",
            "owner_id": str(BOB),
            "features": [],
        }
    )


def test_a_new_guild_has_everyone_and_its_owner(backend: BackEnd) -> None:
    first = Permission.VIEW_CHANNEL | Permission.CONNECT | Permission.SPEAK | Permission.STREAM
    assert backend.read(f"{PATH}/roles/{GUILD}") == {
        "id": str(GUILD),
        "guild_id": str(GUILD),
        "name": "@everyone",
        "permissions": str(int(first)),
        "position": 0,
    }
    assert backend.read(f"{PATH}/members/{ALICE}")["role_ids"] == []


@pytest.mark.parametrize("verb", ["put", "patch"])
def test_a_new_owner_is_made_a_member(backend: BackEnd, verb: str) -> None:
    answer = getattr(backend, verb)(PATH, name="guild", owner_id=str(CHARLIE))
    assert answer.status_code == 200
    assert backend.get(f"{PATH}/members/{CHARLIE}").status_code == 200


def test_an_owner_who_was_a_member_stays_the_member_they_were(backend: BackEnd) -> None:
    backend.patch(f"{PATH}/members/{BOB}", nick="bobby", mute=True)
    backend.patch(PATH, owner_id=str(BOB))
    member = backend.read(f"{PATH}/members/{BOB}")
    assert (member["nick"], member["mute"]) == ("bobby", True)


@pytest.mark.parametrize("path", [PATH, "guilds/20"])
def test_an_owner_whom_nobody_knows_is_refused(backend: BackEnd, path: str) -> None:
    answer = backend.put(path, name="guild", owner_id="999")
    assert fault(answer) == refused("owner_id", "UNKNOWN_USER")
    assert not Guild.objects.filter(pk=20).exists()
    assert backend.read(PATH)["owner_id"] == str(ALICE)


def test_a_guild_whose_id_is_a_role_elsewhere_is_a_conflict_and_not_half_written(
    backend: BackEnd,
) -> None:
    backend.put(f"{PATH}/roles/20", name="twenty", permissions="0")
    assert fault(backend.put("guilds/20", name="second", owner_id=str(BOB)))[:2] == (
        409,
        "CONFLICT",
    )
    assert not Guild.objects.filter(pk=20).exists()


def test_a_deleted_guild_takes_all_that_is_its_own_along(backend: BackEnd) -> None:
    for _ in range(2):
        assert backend.delete(PATH).status_code == 204
    assert fault(backend.get(PATH))[:2] == (404, "UNKNOWN_GUILD")
    assert not Channel.objects.filter(pk__in=[VOICE, TEXT]).exists()
    assert not Role.objects.exists()
    assert not Member.objects.exists()


@pytest.mark.parametrize(
    ("body", "is_noted"),
    [
        ({"name": "renamed"}, False),
        ({"owner_id": str(ALICE), "features": []}, False),
        ({"owner_id": str(BOB)}, True),
        ({"features": ["VIP_VOICE"]}, True),
    ],
)
def test_only_a_new_owner_and_other_features_change_rights(
    backend: BackEnd, body: dict[str, Any], is_noted: bool
) -> None:
    assert backend.patch(PATH, **body).status_code == 200
    noted = [(change.scope, change.subject_id) for change in RightsChange.objects.all()]
    assert noted == ([("guild", GUILD)] if is_noted else [])


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"owner_id": "1"}, "name", "REQUIRED"),
        ({"name": "x"}, "owner_id", "REQUIRED"),
        ({"name": "x", "owner_id": 1}, "owner_id", "INVALID"),
        ({"name": "x", "owner_id": "01"}, "owner_id", "INVALID"),
        ({"name": "x", "owner_id": "1", "features": "VIP"}, "features", "NOT_A_LIST"),
        ({"name": "x", "owner_id": "1", "features": [1]}, "features.0", "INVALID"),
    ],
)
def test_a_bad_body_is_refused_by_its_path(
    backend: BackEnd, body: dict[str, Any], path: str, code: str
) -> None:
    assert fault(backend.call("PUT", "guilds/20", body)) == refused(path, code)
