"""The back end tells of users, and takes them back."""

import pytest

from fluxer.directory.models import Member, RightsChange, User
from tests.directory.cast import ALICE, BOB, CHARLIE, DM, GROUP, GUILD, BackEnd, fault, refused


def test_put_creates_then_replaces(empty: BackEnd) -> None:
    path = f"users/{CHARLIE}"
    created = empty.put(path, username="charlie", display_name="Charlie", is_bot=True)
    assert created.status_code == 201
    replaced = empty.put(path, username="charles")
    assert replaced.status_code == 200
    assert (
        empty.read(path)
        == replaced.json()
        == {
            "id": "3",
            "username": "charles",
            "display_name": "",
            "is_claimed": True,
            "is_bot": False,
        }
    )


def test_patch_merges(backend: BackEnd) -> None:
    backend.put(f"users/{BOB}", username="bob", display_name="Bob", is_claimed=False)
    answer = backend.patch(f"users/{BOB}", is_claimed=True)
    assert answer.status_code == 200
    assert answer.json()["display_name"] == "Bob"
    assert answer.json()["is_claimed"] is True


def test_delete_is_idempotent(backend: BackEnd) -> None:
    for _ in range(2):
        response = backend.delete(f"users/{CHARLIE}")
        assert (response.status_code, response.content) == (204, b"")
    assert fault(backend.get(f"users/{CHARLIE}"))[:2] == (404, "UNKNOWN_USER")
    assert fault(backend.patch(f"users/{CHARLIE}"))[:2] == (404, "UNKNOWN_USER")


def test_a_deleted_user_is_in_no_guild_and_no_call(backend: BackEnd) -> None:
    assert backend.delete(f"users/{BOB}").status_code == 204
    assert not Member.objects.filter(user_id=BOB).exists()
    assert backend.read(f"channels/{DM}")["recipient_ids"] == [str(ALICE)]
    assert str(BOB) not in backend.read(f"channels/{GROUP}")["recipient_ids"]


def test_who_owns_a_guild_is_not_deleted(backend: BackEnd) -> None:
    assert fault(backend.delete(f"users/{ALICE}"))[:2] == (409, "CONFLICT")
    backend.patch(f"guilds/{GUILD}", owner_id=str(BOB))
    assert backend.delete(f"users/{ALICE}").status_code == 204


def test_a_claimed_account_is_a_change_of_rights_and_a_name_is_none(backend: BackEnd) -> None:
    backend.patch(f"users/{BOB}", username="robert", is_claimed=True)
    assert not RightsChange.objects.exists()
    backend.patch(f"users/{BOB}", is_claimed=False)
    assert [(c.scope, c.subject_id) for c in RightsChange.objects.all()] == [("user", BOB)]


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({}, "username", "REQUIRED"),
        ({"username": ""}, "username", "BLANK"),
        ({"username": 5}, "username", "INVALID"),
        ({"username": "a\0b"}, "username", "NULL_CHARACTERS_NOT_ALLOWED"),
        ({"username": "\ud800"}, "username", "INVALID"),
        ({"username": "x" * 65}, "username", "MAX_LENGTH"),
        ({"username": "x", "is_claimed": 1}, "is_claimed", "INVALID"),
        ({"username": "x", "is_bot": "yes"}, "is_bot", "INVALID"),
        ({"username": "x", "is_bot": None}, "is_bot", "NULL"),
        ({"username": "x", "display_name": []}, "display_name", "INVALID"),
    ],
)
def test_a_bad_body_is_refused_by_its_path(
    empty: BackEnd, body: dict[str, object], path: str, code: str
) -> None:
    assert fault(empty.call("PUT", "users/9", body)) == refused(path, code)
    assert not User.objects.exists()
