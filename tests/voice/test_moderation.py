"""Mute, deafen, move, disconnect: what a moderator may do, and what becomes of it."""

from typing import Any

import pytest

from fluxer.directory.models import Channel, Guild, Member, Role, User
from fluxer.directory.permissions import Permission
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.follow import follow
from tests.voice.orders import connection_of, enter, moderate, state_of
from tests.voice.scene import ALICE, BOB, GUILD, MODERATORS, MOIRA, OTHER_VOICE, TEXT, VOICE, Caller
from voice.models import AuditEntry, EndedConnection, RoomPin, VoiceState

EVERY_WORD: list[dict[str, Any]] = [
    {"mute": True}, {"deaf": True}, {"channel_id": str(OTHER_VOICE)}, {"channel_id": None},
    {"mute": True, "deaf": False, "channel_id": None},
]  # fmt: skip


def overwrite(user_id: int, *, deny: int = 0, allow: int = 0, channel_id: int = VOICE) -> None:
    channel = Channel.objects.get(pk=channel_id)
    channel.overwrites.append(
        {"id": str(user_id), "type": 1, "deny": str(deny), "allow": str(allow)}
    )
    channel.save()


def refused(answer: Any, code: str, status: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content


def all_written() -> Any:
    return scene.written(), list(Member.objects.order_by("pk").values()), AuditEntry.objects.count()


def test_the_answer_is_the_member(stage: None, moira: Caller):
    answer = moderate(moira, BOB, mute=True)

    assert answer.status_code == 200
    assert answer.json() == {
        "user_id": str(BOB), "guild_id": str(GUILD), "nick": "", "role_ids": [],
        "mute": True, "deaf": False, "timed_out_until": None,
    }  # fmt: skip


def test_mute_and_deaf_outlast_leaving_and_reach_who_is_not_in_voice(
    west: FakeLiveKit, moira: Caller, bob: Caller
):
    moderate(moira, BOB, mute=True, deaf=True)
    participant = enter(west, bob)

    assert participant.info.permission.can_subscribe is False
    assert state_of(BOB).mute
    participant.leave()
    assert Member.objects.get(user=BOB).mute


def test_a_mute_reaches_livekit_and_an_unmute_too(west: FakeLiveKit, moira: Caller, bob: Caller):
    participant = enter(west, bob)
    participant.publish()
    version = state_of(BOB).version

    moderate(moira, BOB, mute=True)
    follow()
    assert participant.published == set()
    assert state_of(BOB).version == version + 1

    moderate(moira, BOB, mute=False)
    follow()
    participant.publish()
    assert participant.published == {"MICROPHONE"}


def test_a_second_mute_changes_no_version(west: FakeLiveKit, moira: Caller, bob: Caller):
    enter(west, bob)
    moderate(moira, BOB, mute=True)
    version = state_of(BOB).version
    moderate(moira, BOB, mute=True)

    assert state_of(BOB).version == version


def test_a_disconnect_is_for_good_and_expires_the_pin(
    west: FakeLiveKit, moira: Caller, bob: Caller
):
    participant = enter(west, bob)
    token = participant.refreshed_token()

    assert moderate(moira, BOB, channel_id=None).status_code == 200
    follow()
    assert participant.reason == "PARTICIPANT_REMOVED"
    ended = EndedConnection.objects.get()
    assert (ended.reason, ended.may_return_until) == ("disconnected", None)
    assert RoomPin.objects.get().expires_at is not None

    again = west.join(token)
    follow()
    assert not again.inside
    assert not VoiceState.objects.exists()


def test_one_connection_only(west: FakeLiveKit, moira: Caller):
    phone, desk = (enter(west, Caller(BOB, sid=sid)) for sid in ("phone", "desk"))

    moderate(moira, BOB, channel_id=None, connection_id=connection_of(phone))
    follow()

    assert (phone.inside, desk.inside) == (False, True)


def test_the_one_that_replaced_it(west: FakeLiveKit, moira: Caller):
    phone = Caller(BOB, sid="phone")
    first = connection_of(enter(west, phone))
    moderate(moira, BOB, channel_id=str(OTHER_VOICE))

    moderate(moira, BOB, channel_id=None, connection_id=first)

    assert not VoiceState.objects.exists()


def test_a_move_is_a_new_connection_with_a_seat(west: FakeLiveKit, moira: Caller, bob: Caller):
    participant = enter(west, bob)
    version = state_of(BOB).version

    assert moderate(moira, BOB, channel_id=str(OTHER_VOICE)).status_code == 200
    follow()

    moved = state_of(BOB)
    assert not participant.inside
    assert (moved.channel_id, moved.server_id, moved.joined_at) == (OTHER_VOICE, None, None)
    assert moved.version == version + 2
    found = bob.get(f"/guilds/{GUILD}/voice-states/@me?connection_id={connection_of(participant)}")
    assert found.json()["connection_id"] == moved.connection_id
    assert enter(west, bob, OTHER_VOICE).identity == f"user_{BOB}_{moved.connection_id}"
    assert RoomPin.objects.get(channel=VOICE).expires_at is not None


def test_a_move_to_where_they_are_moves_nobody(west: FakeLiveKit, moira: Caller, bob: Caller):
    participant = enter(west, bob)

    assert moderate(moira, BOB, channel_id=str(VOICE)).status_code == 200
    follow()

    assert participant.inside
    assert state_of(BOB).connection_id == connection_of(participant)


def test_a_move_overfills(west: FakeLiveKit, moira: Caller, bob: Caller, alice: Caller):
    Channel.objects.filter(pk=OTHER_VOICE).update(user_limit=1)
    enter(west, alice, OTHER_VOICE)
    enter(west, bob)

    assert moderate(moira, BOB, channel_id=str(OTHER_VOICE)).status_code == 200
    assert bob.token(OTHER_VOICE)["connection_id"] == state_of(BOB).connection_id


@pytest.mark.parametrize("body", EVERY_WORD)
def test_without_the_permission_nothing_happens(west: FakeLiveKit, bob: Caller, body: Any):
    Role.objects.filter(pk=MODERATORS).update(permissions=0)
    Member.objects.filter(user=BOB).update(role_ids=[MODERATORS])
    Member.objects.filter(user=MOIRA).update(role_ids=[])
    enter(west, Caller(MOIRA))
    before = all_written()

    refused(moderate(bob, MOIRA, **body), "MISSING_PERMISSIONS", 403)

    assert all_written() == before


@pytest.mark.parametrize("body", EVERY_WORD)
@pytest.mark.parametrize("target", ["owner", "of the same rank"])
def test_rank_protects(west: FakeLiveKit, moira: Caller, target: str, body: Any):
    user_id = ALICE if target == "owner" else BOB
    Member.objects.filter(user=BOB).update(role_ids=[MODERATORS])
    enter(west, Caller(user_id))
    before = all_written()

    refused(moderate(moira, user_id, **body), "MISSING_PERMISSIONS", 403)

    assert all_written() == before


def test_an_administrator_does_not_reach_the_owner(west: FakeLiveKit, moira: Caller):
    Role.objects.filter(pk=MODERATORS).update(permissions=int(Permission.ADMINISTRATOR))

    refused(moderate(moira, ALICE, mute=True), "MISSING_PERMISSIONS", 403)


def test_oneself_is_in_reach_by_id_and_as_me(west: FakeLiveKit, moira: Caller, alice: Caller):
    assert moderate(moira, MOIRA, mute=True).json()["mute"] is True
    assert moderate(alice, "@me", deaf=True).json()["user_id"] == str(ALICE)


def test_oneself_needs_the_permission_too(west: FakeLiveKit, bob: Caller):
    enter(west, bob)

    for body in EVERY_WORD:
        refused(moderate(bob, "@me", **body), "MISSING_PERMISSIONS", 403)


@pytest.mark.parametrize("word", ["mute", "deaf", "channel_id"])
def test_the_permission_is_computed_where_the_target_is(
    west: FakeLiveKit, moira: Caller, bob: Caller, word: str
):
    needed = {
        "mute": Permission.MUTE_MEMBERS,
        "deaf": Permission.DEAFEN_MEMBERS,
        "channel_id": Permission.MOVE_MEMBERS,
    }[word]
    body: dict[str, Any] = {word: None if word == "channel_id" else True}
    overwrite(MOIRA, deny=int(needed))
    if word != "channel_id":
        assert moderate(moira, BOB, **body).status_code == 200
    enter(west, bob)

    refused(moderate(moira, BOB, **body), "MISSING_PERMISSIONS", 403)

    overwrite(MOIRA, deny=0, allow=int(needed), channel_id=OTHER_VOICE)
    Role.objects.filter(pk=MODERATORS).update(permissions=0)
    enter(west, Caller(BOB, sid="x"), OTHER_VOICE)
    VoiceState.objects.filter(channel=VOICE).delete()
    assert moderate(moira, BOB, **body).status_code == 200


def test_everything_is_checked_before_anything_changes(
    west: FakeLiveKit, moira: Caller, bob: Caller
):
    overwrite(MOIRA, deny=int(Permission.MOVE_MEMBERS))
    enter(west, bob)
    before = all_written()

    refused(moderate(moira, BOB, mute=True, channel_id=None), "MISSING_PERMISSIONS", 403)
    refused(moderate(moira, BOB, mute=True, channel_id="5"), "MISSING_PERMISSIONS", 403)

    assert all_written() == before


@pytest.mark.parametrize(
    ("channel_id", "code"),
    [(5, "CHANNEL_DOES_NOT_EXIST"), (scene.DM, "CHANNEL_DOES_NOT_EXIST"),
     (TEXT, "CHANNEL_MUST_BE_VOICE")],
)  # fmt: skip
def test_there_is_no_such_destination(
    west: FakeLiveKit, moira: Caller, bob: Caller, channel_id: int, code: str
):
    enter(west, bob)
    before = all_written()
    answer = moderate(moira, BOB, mute=True, channel_id=str(channel_id))

    refused(answer, "INVALID_FORM_BODY", 400)
    assert [(e["path"], e["code"]) for e in answer.json()["errors"]] == [("channel_id", code)]
    assert all_written() == before


@pytest.mark.parametrize(
    "lacking", [Permission.MOVE_MEMBERS, Permission.VIEW_CHANNEL, Permission.CONNECT]
)
def test_the_moderator_needs_rights_in_the_destination(
    west: FakeLiveKit, moira: Caller, bob: Caller, lacking: Permission
):
    overwrite(MOIRA, deny=int(lacking), channel_id=OTHER_VOICE)
    enter(west, bob)
    before = all_written()

    refused(moderate(moira, BOB, channel_id=str(OTHER_VOICE)), "MISSING_PERMISSIONS", 403)

    assert all_written() == before


def test_who_is_not_in_voice_is_not_moved(west: FakeLiveKit, moira: Caller, bob: Caller):
    for channel_id in (None, str(OTHER_VOICE)):
        refused(moderate(moira, BOB, channel_id=channel_id), "USER_NOT_IN_VOICE", 400)


def test_a_connection_of_somebody_else_is_not_theirs(
    west: FakeLiveKit, moira: Caller, bob: Caller, alice: Caller
):
    hers = connection_of(enter(west, alice))
    enter(west, bob)

    for body in ({"channel_id": None}, {"mute": True}):
        answer = moderate(moira, BOB, connection_id=hers, **body)
        refused(answer, "USER_NOT_IN_VOICE", 400)
    assert VoiceState.objects.count() == 2
    assert not Member.objects.get(user=BOB).mute


def test_a_seat_whose_time_has_passed_is_not_in_voice(
    west: FakeLiveKit, moira: Caller, bob: Caller, later: Any
):
    bob.token()
    later(121)

    refused(moderate(moira, BOB, channel_id=str(OTHER_VOICE)), "USER_NOT_IN_VOICE", 400)


def test_strangers_and_unknown_people(west: FakeLiveKit, moira: Caller, charlie: Caller):
    refused(moderate(charlie, BOB, mute=True), "UNKNOWN_MEMBER", 404)
    refused(moderate(moira, 3, mute=True), "UNKNOWN_MEMBER", 404)
    refused(moira.patch("/guilds/77/members/2", {}), "UNKNOWN_GUILD", 404)


@pytest.mark.parametrize(
    "body",
    [{"mute": 1}, {"deaf": "yes"}, {"channel_id": 5}, {"connection_id": 3}, {"mute": None}],
)
def test_wrong_types(stage: None, moira: Caller, body: Any):
    refused(moderate(moira, BOB, **body), "INVALID_FORM_BODY", 400)


def test_a_bot_guild_owner_reaches_everybody(west: FakeLiveKit, alice: Caller):
    Guild.objects.filter(pk=GUILD).update(owner=User.objects.get(pk=ALICE))
    enter(west, Caller(MOIRA))

    assert moderate(alice, MOIRA, mute=True, channel_id=None).status_code == 200
    assert not VoiceState.objects.exists()
