"""What comes in wrong is said to be wrong, by its path; never a 500, and nothing is written."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.livekit.fake import FakeLiveKit
from tests.voice.scene import BOB, GUILD, VOICE, bearer, written

PATH = f"/channels/{VOICE}/voice/token"
NO_ID = [
    "0100", "-100", "+100", "100.0", "1e2", " 100", "100 ", "100\n", "", "abc", "१००",
    str(2**63), str(2**64 + 100), "9" * 400, "100\x00",
    100, 100.0, -1, True, False, [], {}, [100], {"id": "100"}, 2**63,
]  # fmt: skip
NO_TEXT = [5, 5.5, True, False, [], ["us-west"], {}, "us\x00west", "\ud800", "x" * 65, ""]
NO_DEGREES = [
    "NaN", "nan", "Infinity", "-inf", "1e400", "-1e400", "91", "-90.0001", 91, -90.0001, 1e308,
    "", " ", "north", "0x10", "1_0", "4 5", "45\x00", "४५", True, False, [], [45], {}, "9" * 400,
    10**400,
]  # fmt: skip


def send(body: Any, *, path: str = PATH) -> Any:
    """Without `raise_request_exception`, so that a 500 is an answer like any other."""
    client = Client(raise_request_exception=False)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": bearer(BOB)}
    return client.post(path, raw, content_type="application/json", headers=headers)


def refused(body: Any, *paths: str) -> None:
    """It is an INVALID_FORM_BODY that names these paths, and nothing is written."""
    before = written()

    answer = send(body)

    assert answer.json()["code"] == "INVALID_FORM_BODY"
    assert answer.status_code == 400
    assert [error["path"] for error in answer.json()["errors"]] == list(paths)
    assert all(error["code"] and error["message"] for error in answer.json()["errors"])
    assert written() == before


def short(value: Any) -> str:
    return ascii(value)[:24]


@pytest.mark.parametrize("value", NO_ID, ids=short)
@pytest.mark.parametrize("name", ["channel_id", "guild_id"])
def test_an_id_is_a_decimal_string_of_63_bits(west: FakeLiveKit, name: str, value: Any):
    refused({"guild_id": str(GUILD), name: value}, name)


def test_a_channel_that_is_null_is_no_channel(west: FakeLiveKit):
    refused({"guild_id": str(GUILD), "channel_id": None}, "channel_id")


@pytest.mark.parametrize("value", NO_TEXT, ids=short)
@pytest.mark.parametrize("name", ["region", "connection_id"])
def test_a_name_is_a_string(west: FakeLiveKit, name: str, value: Any):
    refused({"guild_id": str(GUILD), name: value}, name)


@pytest.mark.parametrize("value", NO_DEGREES, ids=short)
@pytest.mark.parametrize(("name", "other"), [("latitude", "longitude"), ("longitude", "latitude")])
def test_a_coordinate_is_finite_and_in_range(west: FakeLiveKit, name: str, other: str, value: Any):
    beyond = {"91": 181, "-90.0001": -180.0001}.get(str(value), value)
    value = value if name == "latitude" else beyond

    refused({"guild_id": str(GUILD), name: value, other: 0}, name)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_bare_number_that_is_none_is_refused(west: FakeLiveKit, value: str):
    body = f'{{"guild_id": "{GUILD}", "latitude": {value}, "longitude": 0}}'
    before = written()

    answer = send(body.encode())

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_FORM_BODY")
    assert written() == before


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"latitude": 1}, "longitude"),
        ({"longitude": "1"}, "latitude"),
        ({"latitude": 1, "longitude": None}, "longitude"),
        ({"latitude": None, "longitude": 0}, "latitude"),
    ],
)
def test_a_coordinate_alone_lacks_the_other(west: FakeLiveKit, body: Any, path: str):
    refused({"guild_id": str(GUILD)} | body, path)


def test_all_faults_are_told_at_once(west: FakeLiveKit):
    body = {
        "channel_id": 1,
        "guild_id": "x",
        "region": [],
        "latitude": "N",
        "longitude": 181,
        "connection_id": {},
    }

    refused(body, *body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"5",
        b'"text"',
        b"[]",
        b'[{"guild_id": "10"}]',
        b"true",
        b"\xff\xfe",
        b'{"guild_id": "\xff"}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"guild_id": "10"} {"guild_id": "10"}',
        b'{"guild_id": "10", "latitude": ' + b"9" * 5000 + b', "longitude": 0}',
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_a_body_that_is_no_object_is_refused(west: FakeLiveKit, body: bytes):
    before = written()

    answer = send(body)

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_FORM_BODY")
    assert written() == before


@pytest.mark.parametrize(
    "garbage",
    ["conn_", "conn_" + "a" * 59, "conn_ä", "user_2_conn_x", "'; DROP TABLE users; --", "%s", "*"],
)
def test_garbage_is_no_connection(west: FakeLiveKit, garbage: str):
    before = written()

    answer = send({"guild_id": str(GUILD), "connection_id": garbage})

    assert (answer.status_code, answer.json()["code"]) == (404, "VOICE_CONNECTION_NOT_FOUND")
    assert written() == before


@pytest.mark.parametrize("garbage", ["US-WEST", "us west", "../us-west", "%", "us-west\t-", "ü"])
def test_garbage_is_no_region(west: FakeLiveKit, garbage: str):
    before = written()

    answer = send({"guild_id": str(GUILD), "region": garbage})

    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_VOICE_REGION")
    assert written() == before


@pytest.mark.parametrize(
    "channel",
    ["0100", "-1", "+1", "1.0", "true", "abc", "%00", "१", str(2**63), "9" * 19, "9" * 20, "1e2"],
)
def test_a_malformed_id_in_the_path_is_not_found(west: FakeLiveKit, channel: str):
    answer = send({"guild_id": str(GUILD)}, path=f"/channels/{channel}/voice/token")

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {"latitude": "37.7749", "longitude": "-122.4194"},
        {"latitude": 37.7749, "longitude": -122.4194},
        {"latitude": -90, "longitude": "180"},
        {"latitude": "+0", "longitude": ".5"},
        {"latitude": "9e1", "longitude": "-1.8E2"},
        {"latitude": None, "longitude": None, "region": None, "connection_id": None},
        {"channel_id": str(VOICE)},
        {"region": "us-west", "unknown": {"keys": ["are", "ignored"]}},
    ],
    ids=short,
)
def test_what_is_right_is_taken(west: FakeLiveKit, body: Any):
    assert send({"guild_id": str(GUILD)} | body).status_code == 200
