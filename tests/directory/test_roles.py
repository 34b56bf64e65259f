"""The back end tells of roles, @everyone among them."""

from typing import Any

import pytest

from fluxer.directory.models import RightsChange
from fluxer.directory.permissions import EVERYONE_DEFAULT
from tests.directory.cast import (
    BOB,
    GUILD,
    MODERATORS,
    MOIRA,
    VOICE,
    BackEnd,
    fault,
    refused,
)

ROLES = f"guilds/{GUILD}/roles"
EVERYONE = f"{ROLES}/{GUILD}"


def test_put_creates_then_replaces(backend: BackEnd) -> None:
    path = f"{ROLES}/30"
    assert backend.put(path, name="djs", permissions="2097152", position=2).status_code == 201
    replaced = backend.put(path, name="DJs")
    assert replaced.status_code == 200
    assert (
        backend.read(path)
        == replaced.json()
        == {
            "id": "30",
            "guild_id": str(GUILD),
            "name": "DJs",
            "permissions": "0",
            "position": 0,
        }
    )


def test_a_mask_may_have_all_63_bits(backend: BackEnd) -> None:
    mask = str(2**63 - 1)
    backend.patch(f"{ROLES}/{MODERATORS}", permissions=mask)
    assert backend.read(f"{ROLES}/{MODERATORS}")["permissions"] == mask


def test_everyone_is_told_otherwise_and_stays(backend: BackEnd) -> None:
    assert backend.put(EVERYONE, permissions="0").json()["permissions"] == "0"
    assert backend.put(EVERYONE, name="all").json()["permissions"] == str(EVERYONE_DEFAULT)
    assert fault(backend.delete(EVERYONE))[:2] == (409, "CONFLICT")
    assert backend.get(EVERYONE).status_code == 200


def test_another_role_needs_a_name(backend: BackEnd) -> None:
    answer = backend.put(f"{ROLES}/30", permissions="0")
    assert fault(answer) == refused("name", "REQUIRED")


def test_a_deleted_role_is_on_no_member_and_in_no_overwrite(backend: BackEnd) -> None:
    backend.put(f"{ROLES}/30", name="djs")
    backend.patch(f"guilds/{GUILD}/members/{MOIRA}", role_ids=["30", str(MODERATORS)])
    kept = [
        {"id": str(GUILD), "type": 0, "allow": "0", "deny": "1024"},
        {"id": str(MODERATORS), "type": 1, "allow": "1024", "deny": "0"},
    ]
    gone = {"id": str(MODERATORS), "type": 0, "allow": "1024", "deny": "0"}
    backend.patch(f"channels/{VOICE}", overwrites=[kept[0], gone, kept[1]])
    for _ in range(2):
        assert backend.delete(f"{ROLES}/{MODERATORS}").status_code == 204
    assert backend.read(f"guilds/{GUILD}/members/{MOIRA}")["role_ids"] == ["30"]
    assert backend.read(f"channels/{VOICE}")["overwrites"] == kept
    assert fault(backend.get(f"{ROLES}/{MODERATORS}"))[:2] == (404, "UNKNOWN_ROLE")


def test_a_role_of_another_guild_is_unknown_here_and_its_id_taken(backend: BackEnd) -> None:
    backend.put("guilds/20", name="second", owner_id=str(BOB))
    path = f"guilds/20/roles/{MODERATORS}"
    assert fault(backend.get(path))[:2] == (404, "UNKNOWN_ROLE")
    assert fault(backend.patch(path, name="x"))[:2] == (404, "UNKNOWN_ROLE")
    assert fault(backend.put(path, name="x"))[:2] == (409, "CONFLICT")
    assert backend.delete(path).status_code == 204
    assert backend.read(f"{ROLES}/{MODERATORS}")["name"] == "mods"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["roles/30", "members/2"])
def test_what_belongs_to_a_guild_that_nobody_knows_is_not_found(
    backend: BackEnd, method: str, path: str
) -> None:
    body = {"name": "x"} if method in ("PUT", "PATCH") else None
    answer = backend.call(method, f"guilds/999/{path}", body)
    assert fault(answer)[:2] == (404, "UNKNOWN_GUILD")


def test_a_mask_and_a_position_change_rights_and_a_name_does_not(backend: BackEnd) -> None:
    path = f"{ROLES}/{MODERATORS}"
    backend.patch(path, name="moderators", position=5)
    assert not RightsChange.objects.exists()
    backend.patch(path, permissions="0")
    backend.patch(path, position=6)
    backend.delete(path)
    noted = [(change.scope, change.subject_id) for change in RightsChange.objects.all()]
    assert noted == [("guild", GUILD)] * 3


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"permissions": 1024}, "permissions", "INVALID"),
        ({"permissions": "-1"}, "permissions", "INVALID"),
        ({"permissions": str(2**63)}, "permissions", "INVALID"),
        ({"permissions": "0x10"}, "permissions", "INVALID"),
        ({"position": "1"}, "position", "INVALID"),
        ({"position": 1.0}, "position", "INVALID"),
        ({"position": True}, "position", "INVALID"),
        ({"position": 2**31}, "position", "MAX_VALUE"),
        ({"name": None}, "name", "NULL"),
    ],
)
def test_a_bad_body_is_refused_by_its_path(
    backend: BackEnd, body: dict[str, Any], path: str, code: str
) -> None:
    answer = backend.call("PUT", f"{ROLES}/30", {"name": "x", **body})
    assert fault(answer) == refused(path, code)
