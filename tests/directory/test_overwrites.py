"""A channel's overwrites: each subject once, roles of the guild, any member."""

from typing import Any

import pytest

from fluxer.directory.models import RightsChange
from tests.directory.cast import BOB, DM, GUILD, MODERATORS, VOICE, BackEnd, fault, refused

PATH = f"channels/{VOICE}"
ROLE = {"id": str(MODERATORS), "type": 0, "allow": "1024", "deny": str(1 << 53)}
MEMBER = {"id": str(BOB), "type": 1, "allow": "0", "deny": "1048576"}


def test_they_read_back_as_they_were_told(backend: BackEnd) -> None:
    assert backend.patch(PATH, overwrites=[MEMBER, ROLE]).status_code == 200
    assert backend.read(PATH)["overwrites"] == [MEMBER, ROLE]
    assert backend.patch(PATH, name="x").json()["overwrites"] == [MEMBER, ROLE]
    assert backend.put(PATH, name="x").json()["overwrites"] == []


def test_a_mask_that_is_not_told_is_empty(backend: BackEnd) -> None:
    answer = backend.patch(PATH, overwrites=[{"id": str(GUILD), "type": 0}])
    assert answer.json()["overwrites"] == [{"id": str(GUILD), "type": 0, "allow": "0", "deny": "0"}]


def test_a_member_may_be_anybody_for_members_come_and_go(backend: BackEnd) -> None:
    assert backend.patch(PATH, overwrites=[{**MEMBER, "id": "999"}]).status_code == 200


def test_only_another_list_is_a_change_of_rights(backend: BackEnd) -> None:
    for _ in range(2):
        backend.patch(PATH, overwrites=[ROLE])
    [change] = RightsChange.objects.all()
    assert (change.scope, change.subject_id) == ("channel", VOICE)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("overwrites", "path", "code"),
    [
        ([ROLE, MEMBER, ROLE], "overwrites.2.id", "DUPLICATE"),
        ([MEMBER, {**ROLE, "id": "999"}], "overwrites.1.id", "UNKNOWN_ROLE"),
        ([{**ROLE, "type": 2}], "overwrites.0.type", "UNKNOWN"),
        ([{**ROLE, "type": "0"}], "overwrites.0.type", "INVALID"),
        ([{**ROLE, "id": 11}], "overwrites.0.id", "INVALID"),
        ([{"type": 0}], "overwrites.0.id", "REQUIRED"),
        ([{"id": "1"}], "overwrites.0.type", "REQUIRED"),
        ([{**ROLE, "allow": 1024}], "overwrites.0.allow", "INVALID"),
        ([{**ROLE, "deny": "-1"}], "overwrites.0.deny", "INVALID"),
        (["x"], "overwrites.0", "INVALID"),
        ({}, "overwrites", "NOT_A_LIST"),
        (None, "overwrites", "NULL"),
    ],
)
def test_a_bad_one_is_refused_by_its_path(
    backend: BackEnd, method: str, overwrites: Any, path: str, code: str
) -> None:
    answer = backend.call(method, PATH, {"overwrites": overwrites})
    assert fault(answer) == refused(path, code)
    assert backend.read(PATH)["overwrites"] == []


def test_a_call_has_none(backend: BackEnd) -> None:
    answer = backend.patch(f"channels/{DM}", overwrites=[MEMBER])
    assert fault(answer) == refused("overwrites", "NOT_FOR_CALLS")
    assert backend.patch(f"channels/{DM}", overwrites=[]).status_code == 200
