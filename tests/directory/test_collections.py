"""Collections: arrays in id order, a hundred a page."""

import pytest

from fluxer.directory.models import Member, User
from tests.directory.cast import GUILD, VOICE, BackEnd, fault, refused

MEMBERS = f"guilds/{GUILD}/members"


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ("users", "id", ["1", "2", "3", "4"]),
        ("guilds", "id", ["10"]),
        (f"guilds/{GUILD}/roles", "id", ["10", "11"]),
        (MEMBERS, "user_id", ["1", "2", "4"]),
        ("channels", "id", ["100", "101", "102", "103"]),
    ],
)
def test_all_are_listed_in_id_order(
    backend: BackEnd, path: str, key: str, expected: list[str]
) -> None:
    listed = backend.read(path)
    assert [row[key] for row in listed] == expected
    assert listed[0] == backend.read(f"{path}/{expected[0]}")
    after = backend.read(f"{path}?after={expected[0]}&limit=1")
    assert [row[key] for row in after] == expected[1:2]
    assert backend.read(f"{path}?after={expected[-1]}") == []


def test_a_page_has_a_hundred_and_members_go_by_their_user(backend: BackEnd) -> None:
    users = [User(pk=1000 + n, username=f"user{n}") for n in range(150)]
    User.objects.bulk_create(users)
    Member.objects.bulk_create(
        [Member(guild_id=GUILD, user_id=user.pk) for user in reversed(users)]
    )
    pages, after = [], ""
    while page := [row["user_id"] for row in backend.read(f"{MEMBERS}?{after}")]:
        pages.append(page)
        after = f"after={page[-1]}"
    assert [len(page) for page in pages] == [100, 53]
    listed = [int(pk) for page in pages for pk in page]
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    "limit", ["0", "101", "-1", "01", "1.0", "ten", "", "1_0", "٣", "9" * 5000]
)
def test_a_bad_limit_is_refused(backend: BackEnd, limit: str) -> None:
    assert fault(backend.get(f"users?limit={limit}")) == refused("limit", "INVALID")


@pytest.mark.parametrize("after", ["-1", "01", "x", "", "1.5", str(2**63), "%00"])
def test_a_bad_place_to_begin_is_refused(backend: BackEnd, after: str) -> None:
    assert fault(backend.get(f"users?after={after}")) == refused("after", "INVALID")


@pytest.mark.parametrize("path", ["guilds/999/roles", "guilds/999/members"])
def test_a_collection_of_a_guild_that_nobody_knows_is_not_found(
    backend: BackEnd, path: str
) -> None:
    assert fault(backend.get(path))[:2] == (404, "UNKNOWN_GUILD")


def test_a_route_takes_its_own_methods_only(backend: BackEnd) -> None:
    for method, path in (("POST", "users"), ("PUT", "users"), ("POST", f"channels/{VOICE}")):
        assert fault(backend.call(method, path, {}))[:2] == (405, "METHOD_NOT_ALLOWED")
