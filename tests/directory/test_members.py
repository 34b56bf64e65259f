"""The back end tells of who is in a guild; mute and deaf are voice's to decide."""

from typing import Any

import pytest

from fluxer.directory.models import Member, RightsChange
from tests.directory.cast import (
    ALICE,
    BOB,
    CHARLIE,
    GUILD,
    MODERATORS,
    BackEnd,
    fault,
    refused,
)

MEMBERS = f"guilds/{GUILD}/members"
PATH = f"{MEMBERS}/{BOB}"


def test_put_creates_then_replaces(backend: BackEnd) -> None:
    path = f"{MEMBERS}/{CHARLIE}"
    created = backend.put(
        path,
        role_ids=[str(MODERATORS)],
        nick="chuck",
        mute=True,
        timed_out_until="2030-01-01T01:00:00+01:00",
    )
    assert created.status_code == 201
    assert (
        backend.read(path)
        == created.json()
        == {
            "user_id": str(CHARLIE),
            "guild_id": str(GUILD),
            "role_ids": [str(MODERATORS)],
            "nick": "chuck",
            "mute": True,
            "deaf": False,
            "timed_out_until": "2030-01-01T00:00:00Z",
        }
    )
    replaced = backend.put(path)
    assert replaced.status_code == 200
    assert replaced.json() == {
        **created.json(),
        "role_ids": [],
        "nick": "",
        "timed_out_until": None,
    }


def test_put_without_mute_and_deaf_keeps_them(backend: BackEnd) -> None:
    backend.patch(PATH, mute=True, deaf=True)
    kept = backend.put(PATH, nick="bobby").json()
    assert (kept["mute"], kept["deaf"]) == (True, True)
    told = backend.put(PATH, nick="bobby", mute=False).json()
    assert (told["mute"], told["deaf"]) == (False, True)


def test_patch_merges(backend: BackEnd) -> None:
    backend.put(PATH, nick="bobby", role_ids=[str(MODERATORS)])
    merged = backend.patch(PATH, deaf=True).json()
    assert (merged["nick"], merged["role_ids"], merged["deaf"]) == (
        "bobby",
        [str(MODERATORS)],
        True,
    )


def test_a_nick_of_null_is_none_at_all(backend: BackEnd) -> None:
    assert backend.put(PATH, nick=None).json()["nick"] == ""


def test_each_role_is_had_once_and_everyone_by_everybody(backend: BackEnd) -> None:
    answer = backend.patch(PATH, role_ids=[str(MODERATORS), str(GUILD), str(MODERATORS)])
    assert answer.json()["role_ids"] == [str(MODERATORS)]


def test_delete_is_idempotent(backend: BackEnd) -> None:
    for _ in range(2):
        assert backend.delete(PATH).status_code == 204
    assert fault(backend.get(PATH))[:2] == (404, "UNKNOWN_MEMBER")
    assert fault(backend.patch(PATH, nick="x"))[:2] == (404, "UNKNOWN_MEMBER")


def test_the_owner_stays_a_member(backend: BackEnd) -> None:
    assert fault(backend.delete(f"{MEMBERS}/{ALICE}"))[:2] == (409, "CONFLICT")
    backend.patch(f"guilds/{GUILD}", owner_id=str(BOB))
    assert backend.delete(f"{MEMBERS}/{ALICE}").status_code == 204


def test_a_user_whom_nobody_knows_cannot_be_a_member(backend: BackEnd) -> None:
    assert fault(backend.put(f"{MEMBERS}/999"))[:2] == (404, "UNKNOWN_USER")
    assert backend.delete(f"{MEMBERS}/999").status_code == 204


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_role_of_another_guild_is_refused(backend: BackEnd, method: str) -> None:
    backend.put("guilds/20", name="second", owner_id=str(BOB))
    body = {"role_ids": [str(MODERATORS), "20"], "nick": "x"}
    assert fault(backend.call(method, PATH, body)) == refused("role_ids", "UNKNOWN_ROLE")
    assert Member.objects.get(guild_id=GUILD, user_id=BOB).nick == ""


def test_what_changes_rights_is_noted_and_a_nick_is_not(backend: BackEnd) -> None:
    backend.patch(PATH, nick="x", role_ids=[], mute=False, timed_out_until=None)
    assert not RightsChange.objects.exists()
    for body in (
        {"role_ids": [str(MODERATORS)]},
        {"mute": True},
        {"deaf": True},
        {"timed_out_until": "2030-01-01T00:00:00Z"},
    ):
        backend.patch(PATH, **body)
        [change] = RightsChange.objects.all()
        assert (change.scope, change.subject_id, change.guild_id) == ("member", BOB, GUILD)
        change.delete()


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"role_ids": "11"}, "role_ids", "NOT_A_LIST"),
        ({"role_ids": None}, "role_ids", "NULL"),
        ({"role_ids": [11]}, "role_ids.0", "INVALID"),
        ({"role_ids": ["11", "011"]}, "role_ids.1", "INVALID"),
        ({"mute": 1}, "mute", "INVALID"),
        ({"deaf": "true"}, "deaf", "INVALID"),
        ({"timed_out_until": "2030-01-01T00:00:00"}, "timed_out_until", "NO_OFFSET"),
        ({"timed_out_until": "tomorrow"}, "timed_out_until", "INVALID"),
        ({"timed_out_until": 1893456000}, "timed_out_until", "INVALID"),
        ({"timed_out_until": "2030-13-01T00:00:00Z"}, "timed_out_until", "INVALID"),
        ({"timed_out_until": "0001-01-01T00:00:00+14:00"}, "timed_out_until", "OVERFLOW"),
        ({"timed_out_until": "9999-12-31T23:59:59-14:00"}, "timed_out_until", "OVERFLOW"),
        ({"nick": "x" * 65}, "nick", "MAX_LENGTH"),
    ],
)
def test_a_bad_body_is_refused_by_its_path(
    backend: BackEnd, body: dict[str, Any], path: str, code: str
) -> None:
    assert fault(backend.call("PUT", f"{MEMBERS}/{CHARLIE}", body)) == refused(path, code)
    assert not Member.objects.filter(user_id=CHARLIE).exists()
