"""Somebody moved in is admitted for that connection's life, with what the moderator has there."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fluxer.directory.models import Channel, Member, User
from fluxer.directory.permissions import Permission
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import PublishRefused
from tests.voice.follow import follow
from tests.voice.orders import BackEnd, enter, moderate, state_of
from tests.voice.scene import BOB, GUILD, MOIRA, OTHER_VOICE, Caller
from voice.models import EndedConnection, VoiceState

ENTRY = Permission.VIEW_CHANNEL | Permission.CONNECT
VOICES = Permission.SPEAK | Permission.STREAM


@pytest.fixture
def lounge(west: FakeLiveKit) -> FakeLiveKit:
    """bob may not even see the other channel; moira may do everything there."""
    overwrites = [{"id": str(BOB), "type": 1, "deny": str(int(ENTRY | VOICES)), "allow": "0"}]
    Channel.objects.filter(pk=OTHER_VOICE).update(overwrites=overwrites)
    return west


def move(by: Caller, user_id: int) -> None:
    assert moderate(by, user_id, channel_id=str(OTHER_VOICE)).status_code == 200


def silence(user_id: int) -> None:
    channel = Channel.objects.get(pk=OTHER_VOICE)
    channel.overwrites.append(
        {"id": str(user_id), "type": 1, "deny": str(int(VOICES)), "allow": "0"}
    )
    channel.save()


def test_the_guest_gets_a_token_and_may_speak(lounge: FakeLiveKit, moira: Caller, bob: Caller):
    enter(lounge, bob)
    assert bob.ask(OTHER_VOICE).status_code == 403

    move(moira, BOB)
    guest = enter(lounge, bob, OTHER_VOICE)
    follow()

    assert guest.inside
    guest.publish()
    assert not state_of(BOB).suppress


def test_the_guest_may_renew_and_set_flags(lounge: FakeLiveKit, moira: Caller, bob: Caller):
    enter(lounge, bob)
    move(moira, BOB)
    grant = bob.token(OTHER_VOICE)

    renewed = bob.token(OTHER_VOICE, connection_id=grant["connection_id"])
    flags = bob.patch(f"/guilds/{GUILD}/voice-states/@me", {"self_mute": True})

    assert renewed["connection_id"] == grant["connection_id"]
    assert flags.json()["self_mute"] is True


def test_it_ends_with_the_connection(lounge: FakeLiveKit, moira: Caller, bob: Caller):
    enter(lounge, bob)
    move(moira, BOB)
    enter(lounge, bob, OTHER_VOICE)

    assert bob.ask(OTHER_VOICE).json()["code"] == "MISSING_PERMISSIONS"
    bob.patch(f"/guilds/{GUILD}/voice-states/@me", {"channel_id": None})
    assert bob.ask(OTHER_VOICE).json()["code"] == "MISSING_PERMISSIONS"


def test_it_outlives_every_later_settle(lounge: FakeLiveKit, moira: Caller, bob: Caller):
    enter(lounge, bob)
    move(moira, BOB)
    guest = enter(lounge, bob, OTHER_VOICE)

    BackEnd().do("PATCH", f"/channels/{OTHER_VOICE}", {"overwrites": []})
    BackEnd().do("PATCH", f"/guilds/{GUILD}/roles/{GUILD}", {"permissions": "0"})
    follow()

    assert guest.inside
    guest.publish()


def test_a_move_on_leaves_it_behind(lounge: FakeLiveKit, moira: Caller, bob: Caller):
    enter(lounge, bob)
    move(moira, BOB)
    guest = enter(lounge, bob, OTHER_VOICE)
    bob.patch(f"/guilds/{GUILD}/voice-states/@me", {"channel_id": "100"})
    follow()

    assert not guest.inside
    assert not state_of(BOB).admitted
    back = bob.patch(f"/guilds/{GUILD}/voice-states/@me", {"channel_id": str(OTHER_VOICE)})
    assert back.status_code == 403


def test_an_unclaimed_guest(lounge: FakeLiveKit, moira: Caller, bob: Caller):
    enter(lounge, bob)
    User.objects.filter(pk=BOB).update(is_claimed=False)
    move(moira, BOB)

    guest = enter(lounge, bob, OTHER_VOICE)
    follow()

    assert guest.inside


def test_a_moderator_without_speak_does_not_give_it(
    lounge: FakeLiveKit, moira: Caller, bob: Caller
):
    silence(MOIRA)
    enter(lounge, bob)
    move(moira, BOB)
    guest = enter(lounge, bob, OTHER_VOICE)

    with pytest.raises(PublishRefused):
        guest.publish()
    assert state_of(BOB).suppress


def test_a_moderator_without_speak_does_not_take_it(west: FakeLiveKit, moira: Caller, bob: Caller):
    silence(MOIRA)
    enter(west, bob)
    move(moira, BOB)

    enter(west, bob, OTHER_VOICE).publish()


def test_moving_oneself_wins_nothing(west: FakeLiveKit, moira: Caller):
    silence(MOIRA)
    enter(west, moira)
    move(moira, MOIRA)
    visitor = enter(west, moira, OTHER_VOICE)

    assert not state_of(MOIRA).admitted
    with pytest.raises(PublishRefused):
        visitor.publish()


def test_a_friend_who_moves_the_moderator_back_wins_nothing(west: FakeLiveKit, moira: Caller):
    """What she has there counts, not what she was given."""
    silence(MOIRA)
    silence(BOB)
    Member.objects.filter(user=BOB).update(role_ids=[])
    enter(west, Caller(BOB))
    move(moira, BOB)

    assert not state_of(BOB).admitted_speak


def test_mute_timeout_and_membership_still_count(lounge: FakeLiveKit, moira: Caller, bob: Caller):
    enter(lounge, bob)
    moderate(moira, BOB, mute=True, channel_id=str(OTHER_VOICE))
    guest = enter(lounge, bob, OTHER_VOICE)
    with pytest.raises(PublishRefused):
        guest.publish()

    until = (timezone.now() + timedelta(hours=1)).isoformat()
    BackEnd().do("PATCH", f"/guilds/{GUILD}/members/{BOB}", {"timed_out_until": until})
    follow()

    assert not guest.inside
    assert EndedConnection.objects.filter(reason="no_access").count() == 1
    assert not VoiceState.objects.exists()


def test_a_guest_who_is_no_member_any_more_is_out(lounge: FakeLiveKit, moira: Caller, bob: Caller):
    enter(lounge, bob)
    move(moira, BOB)
    guest = enter(lounge, bob, OTHER_VOICE)

    BackEnd().do("DELETE", f"/guilds/{GUILD}/members/{BOB}")
    follow()

    assert not guest.inside
