"""Many changes at once: one transaction, all or nothing, by the rules of each alone."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fluxer.directory.models import Channel, Guild, Member, User
from regions.models import Region
from tests.directory.cast import (
    ALICE,
    BOB,
    CHARLIE,
    GUILD,
    MODERATORS,
    VOICE,
    BackEnd,
    fault,
    refused,
    stage,
)

CREATE = ("PUT", f"users/{CHARLIE}", {"username": "charlie"})


def test_each_answers_with_its_status(empty: BackEnd) -> None:
    told = stage()
    assert empty.batch(*told).json() == [{"status": 201}] * len(told)
    answer = empty.batch(
        CREATE,
        ("PATCH", f"guilds/{GUILD}", {"name": "renamed"}),
        ("DELETE", f"users/{CHARLIE}"),
        ("DELETE", f"users/{CHARLIE}"),
    )
    assert (answer.status_code, answer.json()) == (
        200,
        [{"status": 200}, {"status": 200}, {"status": 204}, {"status": 204}],
    )
    assert empty.read(f"guilds/{GUILD}")["name"] == "renamed"
    assert not User.objects.filter(pk=CHARLIE).exists()


def test_an_empty_batch_does_nothing(empty: BackEnd) -> None:
    answer = empty.batch()
    assert (answer.status_code, answer.json()) == (200, [])


def test_regions_go_through_the_same_door(empty: BackEnd) -> None:
    answer = empty.batch(("PUT", "regions/us-west", {"name": "US West"}), CREATE)
    assert answer.json() == [{"status": 201}] * 2
    assert Region.objects.get().name == "US West"
    path = "regions/us-west/servers/a"
    machine = {"endpoint": "wss://a.example", "api_key": "key", "api_secret": "s" * 32}
    answer = empty.batch(("PUT", path, machine), ("POST", f"{path}/drain"))
    assert answer.json() == [{"status": 201}, {"status": 200}]
    assert empty.read(path)["is_draining"] is True


@pytest.mark.parametrize(
    ("operation", "path", "code"),
    [
        (("PUT", "users/9", {}), "1.username", "REQUIRED"),
        (("PUT", "users/9"), "1.username", "REQUIRED"),
        (("PUT", "guilds/20", {"name": "x", "owner_id": "999"}), "1.owner_id", "UNKNOWN_USER"),
        (
            ("PATCH", f"channels/{VOICE}", {"overwrites": [{"id": "1"}]}),
            "1.overwrites.0.type",
            "REQUIRED",
        ),
        (("PATCH", "users/999", {}), "1.path", "UNKNOWN_USER"),
        (("PUT", "guilds/999/members/1", {}), "1.path", "UNKNOWN_GUILD"),
        (("DELETE", f"users/{ALICE}"), "1.path", "CONFLICT"),
        (("DELETE", f"guilds/{GUILD}/roles/{GUILD}"), "1.path", "CONFLICT"),
        (("PUT", "users", {}), "1.method", "METHOD_NOT_ALLOWED"),
        (("POST", "users/9", {}), "1.method", "METHOD_NOT_ALLOWED"),
        (("PUT", "nothing/9", {}), "1.path", "NOT_FOUND"),
        (("PUT", "users/09", {}), "1.path", "NOT_FOUND"),
        (("PUT", f"users/{2**63}", {}), "1.path", "NOT_FOUND"),
        (("PUT", "users/9?x=1", {}), "1.path", "NOT_FOUND"),
        (("PUT", "../users/9", {}), "1.path", "NOT_FOUND"),
        (("POST", "batch", {}), "1.path", "NOT_IN_BATCH"),
        (("POST", f"channels/{VOICE}/voice/disconnect", {}), "1.path", "NOT_IN_BATCH"),
        (("POST", "regions/us-west/servers/a/probe", {}), "1.path", "NOT_IN_BATCH"),
        (("GET", "users/1"), "1.method", "INVALID_CHOICE"),
        (("put", "users/9", {}), "1.method", "INVALID_CHOICE"),
        (("PUT", "users/\0", {}), "1.path", "NULL_CHARACTERS_NOT_ALLOWED"),
        (("PUT", "x" * 600, {}), "1.path", "MAX_LENGTH"),
        (("PUT", "users/9", ["username"]), "1.body", "NOT_A_DICT"),
        (("PUT", "users/9", None), "1.body", "NULL"),
    ],
)
def test_a_bad_one_is_named_and_nothing_is_done(
    backend: BackEnd, operation: Any, path: str, code: str
) -> None:
    answer = backend.batch(("PUT", "users/8", {"username": "first"}), operation)
    assert fault(answer) == refused(path, code)
    assert not User.objects.filter(pk__in=[8, 9]).exists()


def test_it_does_not_reach_out_of_service(backend: BackEnd) -> None:
    answer = backend.call("POST", "batch", [{"method": "POST", "path": "/healthz"}])
    assert fault(answer) == refused("0.path", "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({}, "", "NOT_A_LIST"),
        ("null", "", "NULL"),
        ('"x"', "", "NOT_A_LIST"),
        ([1], "0", "INVALID"),
        ([{"method": "DELETE"}], "0.path", "REQUIRED"),
        ([{"path": "/service/users/1"}], "0.method", "REQUIRED"),
        ([{"method": [], "path": "/service/users/1"}], "0.method", "INVALID_CHOICE"),
        ([{"method": "DELETE", "path": 1}], "0.path", "INVALID"),
        ([{"method": "DELETE", "path": "/service/users/1"}] * 1001, "", "MAX_LENGTH"),
    ],
)
def test_what_is_no_batch_is_refused(empty: BackEnd, body: Any, path: str, code: str) -> None:
    assert fault(empty.call("POST", "batch", body)) == refused(path, code)


def test_a_batch_may_be_larger_than_other_bodies(empty: BackEnd) -> None:
    ballast = {"username": "charlie", "unheard": "x" * (900 * 1024)}
    assert empty.batch(("PUT", "users/3", ballast)).status_code == 200
    ballast["unheard"] = "x" * (1024 * 1024)
    assert fault(empty.batch(("PUT", "users/3", ballast)))[:2] == (413, "PAYLOAD_TOO_LARGE")


def cost(backend: BackEnd, *operations: Any) -> float:
    """How many statements each of many operations takes."""
    count = 0

    def counting(execute: Any, *statement: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*statement)

    with connection.execute_wrapper(counting):
        answer = backend.batch(*operations)
    assert answer.status_code == 200, answer.content
    return count / len(operations)


def test_what_each_of_many_costs_is_bounded(backend: BackEnd) -> None:
    users = [(f"users/{pk}", f"guilds/{GUILD}/members/{pk}") for pk in range(1000, 1150)]
    told = [("PUT", user, {"username": "x"}) for user, _ in users]
    joined = [("PUT", member, {"role_ids": [str(MODERATORS)]}) for _, member in users]
    assert cost(backend, *told) < 7
    assert cost(backend, *joined) < 10
    assert cost(backend, *told) < 4
    assert cost(backend, *joined) < 7
    assert Member.objects.filter(guild_id=GUILD).count() == 153
    assert cost(backend, *(("DELETE", member) for _, member in users)) < 14
    assert cost(backend, *(("DELETE", user) for user, _ in users)) < 20


def test_rooms_are_locked_in_id_order_before_anything_is_done(backend: BackEnd) -> None:
    backend.batch(
        *(("PUT", f"channels/{pk}", {"type": 2, "guild_id": str(GUILD)}) for pk in (202, 200, 201))
    )
    with CaptureQueriesContext(connection) as statements:
        answer = backend.batch(
            ("PATCH", "channels/202", {"name": "x"}),
            ("DELETE", "channels/200"),
            ("DELETE", f"guilds/{GUILD}"),
        )
    assert answer.status_code == 200
    assert not Guild.objects.exists()
    assert not Channel.objects.filter(guild_id=GUILD).exists()
    locking = [query["sql"] for query in statements if "FOR NO KEY UPDATE" in query["sql"]]
    assert "ORDER BY" in locking[0]
    assert all(str(pk) in locking[0] for pk in (VOICE, 200, 201, 202))


def test_one_can_use_what_another_made(empty: BackEnd) -> None:
    answer = empty.batch(
        ("PUT", f"users/{ALICE}", {"username": "alice"}),
        ("PUT", f"guilds/{GUILD}", {"name": "guild", "owner_id": str(ALICE)}),
        ("PUT", f"guilds/{GUILD}/members/{BOB}", {}),
    )
    assert fault(answer) == refused("2.path", "UNKNOWN_USER")
    assert not User.objects.exists()
