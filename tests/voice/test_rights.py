"""Rights in force: what the back end says of rights acts on people who are inside."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from fluxer.directory.models import Channel, Member, RightsChange
from fluxer.directory.permissions import EVERYONE_DEFAULT, Permission
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import FakeParticipant
from tests.voice import scene
from tests.voice.follow import follow
from tests.voice.frozen import hold, hold_table
from tests.voice.orders import BackEnd, enter, moderate, state_of
from tests.voice.scene import ALICE, BOB, DM, GROUP, GUILD, MOIRA, OTHER_VOICE, VOICE, Caller
from voice import due, rights, tasks
from voice.models import EndedConnection, VoiceState

ROLE = 12
ROOM = f"guild_{GUILD}_channel_{VOICE}"
GUILDS, MEMBER = f"/guilds/{GUILD}", f"/guilds/{GUILD}/members/{BOB}"
CHANNEL = f"/channels/{VOICE}"


def without(*permissions: Permission) -> str:
    mask = EVERYONE_DEFAULT
    for permission in permissions:
        mask &= ~int(permission)
    return str(mask)


def overwrite(subject: int, kind: int, *, deny: Permission) -> dict[str, Any]:
    return {"overwrites": [{"id": str(subject), "type": kind, "deny": str(int(deny))}]}


def later_than_now() -> str:
    return (timezone.now() + timedelta(hours=1)).isoformat()


Change = Callable[[BackEnd, Permission], None]

# Each takes a permission from bob by another way.
WAYS: dict[str, Change] = {
    "everyone": lambda tell, lost: tell.do(
        "PATCH", f"{GUILDS}/roles/{GUILD}", {"permissions": without(lost)}
    ),
    "everyone replaced": lambda tell, lost: tell.do(
        "PUT", f"{GUILDS}/roles/{GUILD}", {"name": "@everyone", "permissions": without(lost)}
    ),
    "overwrite of everyone": lambda tell, lost: tell.do(
        "PATCH", CHANNEL, overwrite(GUILD, 0, deny=lost)
    ),
    "overwrite of the member": lambda tell, lost: tell.do(
        "PATCH", CHANNEL, overwrite(BOB, 1, deny=lost)
    ),
    "in a batch": lambda tell, lost: tell.do(
        "POST",
        "/batch",
        [{"method": "PATCH", "path": f"/service{CHANNEL}", "body": overwrite(BOB, 1, deny=lost)}],
    ),
}


@pytest.fixture
def inside(west: FakeLiveKit, bob: Caller) -> FakeParticipant:
    """bob is in, and his microphone is on."""
    participant = enter(west, bob)
    participant.publish()
    return participant


def is_out(participant: FakeParticipant, reason: str = "no_access") -> None:
    """Out, remembered why, and out again with the old token."""
    token = participant.refreshed_token()
    follow()
    assert participant.reason == "PARTICIPANT_REMOVED"
    assert [ended.reason for ended in EndedConnection.objects.filter(user_id=BOB)] == [reason]
    again = participant.server.join(token)
    follow()
    assert not again.inside
    assert not VoiceState.objects.filter(user_id=BOB).exists()
    assert not RightsChange.objects.exists()


@pytest.mark.parametrize("way", WAYS)
def test_speak_is_taken(inside: FakeParticipant, back_end: BackEnd, way: str):
    version = state_of(BOB).version
    WAYS[way](back_end, Permission.SPEAK)
    follow()

    assert inside.inside
    assert inside.published == set()
    state = state_of(BOB)
    assert (state.suppress, state.version) == (True, version + 1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lost", [Permission.CONNECT, Permission.VIEW_CHANNEL])
def test_the_way_in_is_taken(
    inside: FakeParticipant, back_end: BackEnd, way: str, lost: Permission
):
    WAYS[way](back_end, lost)

    is_out(inside)


def test_a_role_given_and_taken(inside: FakeParticipant, back_end: BackEnd):
    back_end.do("PATCH", f"{GUILDS}/roles/{GUILD}", {"permissions": without(Permission.SPEAK)})
    speaker = {"name": "speaker", "permissions": str(int(Permission.SPEAK))}
    back_end.do("PUT", f"{GUILDS}/roles/{ROLE}", speaker)
    follow()
    assert inside.published == set()

    back_end.do("PATCH", MEMBER, {"role_ids": [str(ROLE)]})
    follow()
    inside.publish()

    back_end.do("PATCH", f"{GUILDS}/roles/{ROLE}", {"permissions": "0"})
    follow()
    assert inside.published == set()

    back_end.do("PATCH", f"{GUILDS}/roles/{ROLE}", speaker)
    follow()
    inside.publish()
    back_end.do("DELETE", f"{GUILDS}/roles/{ROLE}")
    follow()
    assert inside.published == set()


@pytest.mark.parametrize("who", [ALICE, BOB])
def test_a_timeout_puts_out_owner_and_administrator_too(
    west: FakeLiveKit, back_end: BackEnd, who: int
):
    back_end.do("PATCH", f"{GUILDS}/roles/{GUILD}", {"permissions": "8"})
    participant = enter(west, Caller(who))

    back_end.do("PATCH", f"{GUILDS}/members/{who}", {"timed_out_until": later_than_now()})
    follow()

    assert not participant.inside
    assert Caller(who).ask().json()["code"] == "VOICE_MEMBER_TIMED_OUT"


def test_a_kick(inside: FakeParticipant, back_end: BackEnd):
    back_end.do("DELETE", MEMBER)

    is_out(inside)


def test_another_owner(west: FakeLiveKit, alice: Caller, bob: Caller, back_end: BackEnd):
    back_end.do("PATCH", f"{GUILDS}/roles/{GUILD}", {"permissions": "0"})
    hers = enter(west, alice)

    back_end.do("PATCH", GUILDS, {"owner_id": str(BOB)})
    follow()

    assert not hers.inside
    enter(west, bob).publish()


@pytest.mark.parametrize("channel_id", [GROUP])
def test_a_recipient_who_is_none_any_more(
    west: FakeLiveKit, bob: Caller, back_end: BackEnd, channel_id: int
):
    participant = enter(west, bob, channel_id)

    people = [str(ALICE), str(MOIRA)]
    back_end.do("PATCH", f"/channels/{channel_id}", {"recipient_ids": people})

    is_out(participant)


def test_a_deleted_channel(inside: FakeParticipant, back_end: BackEnd):
    back_end.do("DELETE", CHANNEL)

    is_out(inside, "channel_deleted")


def test_a_deleted_guild(inside: FakeParticipant, back_end: BackEnd):
    back_end.do("DELETE", GUILDS)

    is_out(inside, "channel_deleted")


def test_a_deleted_user(inside: FakeParticipant, back_end: BackEnd):
    back_end.do("DELETE", f"/users/{BOB}")

    is_out(inside)


def test_a_user_who_is_no_longer_claimed(
    west: FakeLiveKit, alice: Caller, bob: Caller, back_end: BackEnd
):
    in_guild, in_group = enter(west, bob), enter(west, bob, GROUP)
    in_dm, owner = enter(west, bob, DM), enter(west, alice)

    for user in (ALICE, BOB):
        back_end.do("PATCH", f"/users/{user}", {"is_claimed": False})
    follow()

    assert (in_guild.inside, in_dm.inside) == (False, False)
    assert (in_group.inside, owner.inside) == (True, True)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_mute_by_the_back_end_and_its_end(
    inside: FakeParticipant, back_end: BackEnd, method: str
):
    back_end.do(method, MEMBER, {"mute": True, "deaf": True})
    follow()
    assert inside.published == set()
    assert not inside.info.permission.can_subscribe

    back_end.do(method, MEMBER, {"mute": False, "deaf": False})
    follow()
    inside.publish()
    assert inside.info.permission.can_subscribe


def test_a_put_undoes_no_mute_and_changes_no_region(
    west: FakeLiveKit, moira: Caller, bob: Caller, alice: Caller, back_end: BackEnd
):
    alice.patch(CHANNEL, {"rtc_region": "us-west", "user_limit": 7})
    participant = enter(west, bob)
    moderate(moira, BOB, mute=True)
    follow()

    back_end.do("PUT", MEMBER, {"nick": "bobby"})
    back_end.do("PUT", CHANNEL, {"type": 2, "guild_id": str(GUILD), "name": "new"})
    follow()

    assert participant.inside
    assert state_of(BOB).mute
    channel = Channel.objects.get(pk=VOICE)
    assert (channel.rtc_region, channel.user_limit, channel.name) == ("us-west", 7, "new")


def test_who_keeps_their_rights_is_left_alone(
    west: FakeLiveKit, inside: FakeParticipant, back_end: BackEnd
):
    version = state_of(BOB).version
    back_end.do("PATCH", f"{GUILDS}/roles/{GUILD}", {"permissions": str(EVERYONE_DEFAULT | 8192)})
    with west.calls_during() as calls:
        follow()

    assert not calls
    assert state_of(BOB).version == version


def test_beat_finds_what_a_killed_process_left(
    inside: FakeParticipant, back_end: BackEnd, monkeypatch: pytest.MonkeyPatch
):
    """Nothing that follows a commit runs here: it is as if the process had died."""
    back_end.do("DELETE", MEMBER)
    asked: list[tuple[str, int, str]] = []
    monkeypatch.setattr("voice.queue.after_commit", lambda *task: asked.append(task))
    tasks.settle_due_rooms()
    assert asked
    for name, server_id, room in asked:
        assert name == "voice.tasks.settle"
        tasks.settle(server_id, room)

    assert not inside.inside


def test_beat_drains_what_a_killed_process_left(inside: FakeParticipant, back_end: BackEnd):
    back_end.do("PATCH", CHANNEL, overwrite(BOB, 1, deny=Permission.CONNECT))
    assert state_of(BOB)

    tasks.settle_due_rooms()

    assert not VoiceState.objects.exists()
    is_out(inside)


@pytest.mark.django_db(transaction=True)
def test_a_held_room_keeps_its_own_changes_and_no_others(
    west: FakeLiveKit, alice: Caller, bob: Caller
):
    """More rows than are read at once, all about the held room; the last is about another."""
    in_held, elsewhere = enter(west, bob), enter(west, alice, OTHER_VOICE)
    Member.objects.filter(user_id__in=(ALICE, BOB)).delete()
    bobs = [RightsChange(scope="channel", subject_id=VOICE) for _ in range(501)]
    RightsChange.objects.bulk_create([*bobs, RightsChange(scope="user", subject_id=ALICE)])

    with hold(VOICE):
        assert rights.drain() == 1
    assert not VoiceState.objects.filter(user_id=ALICE).exists()
    assert RightsChange.objects.count() == len(bobs)

    assert rights.drain() == len(bobs)
    assert not VoiceState.objects.exists()
    follow()
    assert not in_held.inside
    assert not elsewhere.inside


@pytest.mark.django_db(transaction=True)
def test_rooms_that_are_due_wait_for_no_rights(
    west: FakeLiveKit, bob: Caller, monkeypatch: pytest.MonkeyPatch
):
    """Beat asks for them, and then something keeps it from the rights."""
    enter(west, bob)
    asked: list[tuple[int, str]] = []
    monkeypatch.setattr("voice.queue.after_commit", lambda _, *ids: asked.append(ids))
    due.mark((Server.objects.get().pk, ROOM))
    with hold_table(RightsChange), pytest.raises(OperationalError):
        tasks.settle_due_rooms()

    by_the_mark, by_beat = asked
    assert by_beat == by_the_mark


def test_many_changes_are_drained_at_once(stage: None, django_assert_max_num_queries: Any):
    RightsChange.objects.bulk_create(
        [RightsChange(scope="member", subject_id=n, guild_id=GUILD) for n in range(600)]
    )

    with django_assert_max_num_queries(12):
        assert rights.drain() == 600
    assert rights.drain() == 0
    assert scene.written()
