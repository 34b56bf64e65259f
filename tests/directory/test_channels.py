"""The back end tells of channels; limits and region are voice's to decide after creation."""

from typing import Any

import pytest

from fluxer.directory.models import Channel, RightsChange
from tests.directory.cast import (
    ALICE,
    BOB,
    CHARLIE,
    DM,
    GROUP,
    GUILD,
    MOIRA,
    TEXT,
    VOICE,
    BackEnd,
    fault,
    refused,
)

PATH = f"channels/{VOICE}"
LIMITS = {"bitrate": 96000, "user_limit": 2, "voice_connection_limit": 3}


def ids(*users: int) -> list[str]:
    return [str(user) for user in users]


def test_put_creates_then_replaces(backend: BackEnd) -> None:
    created = backend.put("channels/200", type=2, guild_id=str(GUILD), name="lounge", **LIMITS)
    assert created.status_code == 201
    replaced = backend.put("channels/200", type=2, guild_id=str(GUILD))
    assert replaced.status_code == 200
    assert (
        backend.read("channels/200")
        == replaced.json()
        == {
            "id": "200",
            "type": 2,
            "guild_id": str(GUILD),
            "recipient_ids": [],
            "name": "",
            "rtc_region": None,
            "overwrites": [],
            **LIMITS,
        }
    )


def test_what_nobody_told_has_its_defaults(backend: BackEnd) -> None:
    channel = backend.read(PATH)
    assert (channel["bitrate"], channel["user_limit"], channel["voice_connection_limit"]) == (
        64000,
        0,
        5,
    )


def test_patch_merges(backend: BackEnd) -> None:
    backend.patch(PATH, **LIMITS)
    merged = backend.patch(PATH, user_limit=9).json()
    assert merged["name"] == "voice"
    assert {name: merged[name] for name in LIMITS} == {**LIMITS, "user_limit": 9}


def test_delete_is_idempotent(backend: BackEnd) -> None:
    for _ in range(2):
        assert backend.delete(PATH).status_code == 204
    assert fault(backend.get(PATH))[:2] == (404, "UNKNOWN_CHANNEL")
    assert fault(backend.patch(PATH, name="x"))[:2] == (404, "UNKNOWN_CHANNEL")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("channel", "body", "path"),
    [
        (VOICE, {"type": 0}, "type"),
        (VOICE, {"type": 1}, "type"),
        (VOICE, {"guild_id": "20"}, "guild_id"),
        (VOICE, {"guild_id": None}, "guild_id"),
        (DM, {"type": 3}, "type"),
        (DM, {"guild_id": str(GUILD)}, "guild_id"),
    ],
)
def test_type_and_guild_are_fixed(
    backend: BackEnd, method: str, channel: int, body: dict[str, Any], path: str
) -> None:
    backend.put("guilds/20", name="second", owner_id=str(BOB))
    before = backend.read(f"channels/{channel}")
    answer = backend.call(method, f"channels/{channel}", {"name": "x", **body})
    assert fault(answer) == refused(path, "FIXED")
    assert backend.read(f"channels/{channel}") == before


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({}, "type", "REQUIRED"),
        ({"type": 2}, "guild_id", "REQUIRED"),
        ({"type": 2, "guild_id": None}, "guild_id", "REQUIRED"),
        ({"type": 2, "guild_id": "999"}, "guild_id", "UNKNOWN_GUILD"),
        ({"type": 2, "guild_id": "10", "recipient_ids": ["1"]}, "recipient_ids", "NOT_FOR_GUILDS"),
        ({"type": 1, "guild_id": "10"}, "guild_id", "NOT_FOR_CALLS"),
        ({"type": 1}, "recipient_ids", "INVALID_LENGTH"),
        ({"type": 1, "recipient_ids": ids(ALICE)}, "recipient_ids", "INVALID_LENGTH"),
        ({"type": 1, "recipient_ids": ids(1, 2, 3)}, "recipient_ids", "INVALID_LENGTH"),
        ({"type": 1, "recipient_ids": ids(1, 1)}, "recipient_ids", "DUPLICATE"),
        ({"type": 1, "recipient_ids": ids(1, 999)}, "recipient_ids", "UNKNOWN_USER"),
        ({"type": 3, "recipient_ids": []}, "recipient_ids", "INVALID_LENGTH"),
        ({"type": 3, "recipient_ids": ids(*range(26))}, "recipient_ids", "INVALID_LENGTH"),
        ({"type": 3, "recipient_ids": [1]}, "recipient_ids.0", "INVALID"),
        ({"type": 6}, "type", "UNKNOWN"),
        ({"type": "2"}, "type", "INVALID"),
        ({"type": True}, "type", "INVALID"),
        ({"type": 2.0}, "type", "INVALID"),
        ({"type": 2, "guild_id": 10}, "guild_id", "INVALID"),
        ({"type": 2, "guild_id": "-1"}, "guild_id", "INVALID"),
        ({"type": 2, "guild_id": str(2**63)}, "guild_id", "INVALID"),
        ({"type": 2, "guild_id": "10", "bitrate": 7999}, "bitrate", "MIN_VALUE"),
        ({"type": 2, "guild_id": "10", "bitrate": 384001}, "bitrate", "MAX_VALUE"),
        ({"type": 2, "guild_id": "10", "user_limit": 100}, "user_limit", "MAX_VALUE"),
        ({"type": 2, "guild_id": "10", "user_limit": None}, "user_limit", "NULL"),
        (
            {"type": 2, "guild_id": "10", "voice_connection_limit": 0},
            "voice_connection_limit",
            "MIN_VALUE",
        ),
    ],
)
def test_a_new_channel_that_cannot_be_is_refused(
    backend: BackEnd, body: dict[str, Any], path: str, code: str
) -> None:
    assert fault(backend.call("PUT", "channels/200", body)) == refused(path, code)
    assert not Channel.objects.filter(pk=200).exists()


def test_a_group_takes_people_in_and_lets_them_go(backend: BackEnd) -> None:
    path = f"channels/{GROUP}"
    answer = backend.patch(path, recipient_ids=ids(ALICE, CHARLIE))
    assert answer.json()["recipient_ids"] == ids(ALICE, CHARLIE)
    assert backend.put(path, name="pals").json()["recipient_ids"] == ids(ALICE, CHARLIE)
    noted = [(change.scope, change.subject_id) for change in RightsChange.objects.all()]
    assert noted == [("channel", GROUP)]
    assert fault(backend.patch(f"channels/{DM}", recipient_ids=ids(ALICE))) == refused(
        "recipient_ids", "INVALID_LENGTH"
    )
    assert fault(backend.patch(f"channels/{TEXT}", recipient_ids=ids(MOIRA))) == refused(
        "recipient_ids", "NOT_FOR_GUILDS"
    )


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_a_body_does_not_need_is_ignored(backend: BackEnd, method: str) -> None:
    answer = backend.call(method, PATH, {"id": "7", "name": "x", "unheard": {"of": 1}})
    assert (answer.status_code, answer.json()["id"]) == (200, str(VOICE))
