"""Every moderation leaves an entry, and moderators can read them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from fluxer.directory.models import Role
from fluxer.directory.permissions import Permission
from tests.livekit.fake import FakeLiveKit
from tests.voice.orders import BackEnd, enter, moderate
from tests.voice.scene import (
    ALICE,
    BOB,
    DM,
    GUILD,
    MODERATORS,
    MOIRA,
    OTHER_VOICE,
    VOICE,
    Caller,
)
from voice.models import AuditEntry

AUDIT = f"/guilds/{GUILD}/voice-audit"
KEYS = {"id", "actor_id", "action", "target_id", "channel_id", "reason", "at"}


def told(by: Caller, query: str = "") -> list[dict[str, Any]]:
    answer = by.get(AUDIT + query)
    assert answer.status_code == 200, answer.content
    return list(answer.json())


def test_each_action_with_actor_target_channel_and_reason(
    west: FakeLiveKit, moira: Caller, bob: Caller
):
    moderate(moira, BOB, mute=True, reason="noise")
    enter(west, bob)
    moderate(moira, BOB, mute=False, deaf=True)
    moderate(moira, BOB, channel_id=str(OTHER_VOICE))
    moderate(moira, BOB, channel_id=None)

    entries = told(moira)
    assert all(set(entry) == KEYS for entry in entries)
    assert {(entry["actor_id"], entry["target_id"]) for entry in entries} == {
        (str(MOIRA), str(BOB))
    }
    assert [(entry["action"], entry["channel_id"], entry["reason"]) for entry in entries] == [
        ("disconnect", str(OTHER_VOICE), None),
        ("move", str(OTHER_VOICE), None),
        ("deafen", str(VOICE), None),
        ("unmute", str(VOICE), None),
        ("mute", None, "noise"),
    ]


def test_a_channel_disconnected_by_a_moderator_and_by_the_back_end(
    west: FakeLiveKit, moira: Caller, back_end: BackEnd
):
    moira.post(f"/channels/{VOICE}/voice/disconnect")
    back_end.ask("POST", f"/channels/{VOICE}/voice/disconnect", reason="closing time")

    service, person = told(moira)
    assert (service["actor_id"], service["reason"]) == (None, "closing time")
    assert (person["actor_id"], person["reason"]) == (str(MOIRA), None)
    assert service["action"] == person["action"] == "disconnect_channel"
    assert service["channel_id"] == str(VOICE)


def test_what_the_back_end_does(west: FakeLiveKit, moira: Caller, bob: Caller, back_end: BackEnd):
    path = f"/channels/{VOICE}/voice/participants/{BOB}"
    enter(west, bob)
    back_end.ask("PATCH", path, {"mute": True}, reason="one")
    back_end.ask("PATCH", path, {"can_speak": False}, reason="two")
    back_end.ask("DELETE", path, reason="three")
    back_end.do("PATCH", f"/guilds/{GUILD}/members/{BOB}", {"mute": False, "deaf": True})

    entries = told(moira)
    assert [(entry["action"], entry["reason"]) for entry in entries] == [
        ("deafen", None), ("unmute", None), ("disconnect", "three"),
        ("update_permissions", "two"), ("mute", "one"),
    ]  # fmt: skip
    assert all(entry["actor_id"] is None and entry["target_id"] == str(BOB) for entry in entries)


def test_what_is_the_same_as_before_is_no_moderation_by_the_back_end(
    stage: None, back_end: BackEnd
):
    back_end.do("PUT", f"/guilds/{GUILD}/members/{BOB}", {"mute": False, "nick": "bobby"})

    assert not AuditEntry.objects.exists()


def test_in_a_call_it_belongs_to_no_guild(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    enter(west, bob, DM)
    back_end.do("PATCH", f"/channels/{DM}/voice/participants/{BOB}", {"mute": True})

    entry = AuditEntry.objects.get()
    assert (entry.guild_id, entry.action, entry.actor) == (None, "mute", "service")


def test_pages_newest_first(stage: None, moira: Caller):
    for _ in range(3):
        moderate(moira, BOB, mute=True)
    ids = [entry["id"] for entry in told(moira)]

    assert ids == sorted(ids, key=int, reverse=True)
    assert [entry["id"] for entry in told(moira, "?limit=2")] == ids[:2]
    assert [entry["id"] for entry in told(moira, f"?before={ids[1]}")] == ids[2:]
    assert told(moira, f"?before={ids[2]}&limit=1") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "before=-1", "before=x"])
def test_a_page_that_is_none(stage: None, moira: Caller, query: str):
    assert moira.get(f"{AUDIT}?{query}").json()["code"] == "INVALID_FORM_BODY"


@pytest.mark.parametrize("name", ["MUTE_MEMBERS", "DEAFEN_MEMBERS", "MOVE_MEMBERS"])
def test_any_of_the_three_permissions_will_do(stage: None, moira: Caller, name: str):
    Role.objects.filter(pk=MODERATORS).update(permissions=int(Permission[name]))

    assert told(moira) == []


def test_others_do_not_read_it(stage: None, bob: Caller, charlie: Caller, alice: Caller):
    assert bob.get(AUDIT).json()["code"] == "MISSING_PERMISSIONS"
    assert charlie.get(AUDIT).json()["code"] == "UNKNOWN_MEMBER"
    assert alice.get("/guilds/77/voice-audit").json()["code"] == "UNKNOWN_GUILD"
    assert alice.user_id == ALICE
    assert told(alice) == []


def test_another_guilds_entries_stay_there(stage: None, moira: Caller):
    AuditEntry.objects.create(guild_id=77, action="mute", actor="user")

    assert told(moira) == []


@pytest.mark.parametrize("encode", [quote, lambda text: text.encode().decode("latin-1")])
def test_a_reason_of_many_scripts(stage: None, moira: Caller, encode: Callable[[str], str]):
    """Percent-encoded, or as it is."""
    moderate(moira, BOB, mute=True, reason=encode("trop de bruit 🔊"))

    assert told(moira)[0]["reason"] == "trop de bruit 🔊"


@pytest.mark.parametrize("reason", ["x" * 513, quote("é" * 513), "a%00b"])
def test_a_reason_that_is_too_long_or_not_to_be_stored(stage: None, moira: Caller, reason: str):
    answer = moderate(moira, BOB, mute=True, reason=reason)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == "X-Audit-Log-Reason"
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("reason", ["x" * 512, quote("é" * 512)])
def test_a_reason_of_512_characters(stage: None, moira: Caller, reason: str):
    assert moderate(moira, BOB, mute=True, reason=reason).status_code == 200
    assert len(AuditEntry.objects.get().reason) == 512
