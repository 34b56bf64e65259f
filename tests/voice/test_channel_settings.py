"""A channel's voice settings: who sees them, who changes what."""

from typing import Any

import pytest

from fluxer.directory.models import Channel, Role
from fluxer.directory.permissions import EVERYONE_DEFAULT, Permission
from tests.livekit.fake import FakeLiveKit
from tests.voice.follow import follow
from tests.voice.orders import enter
from tests.voice.scene import BOB, DM, GROUP, GUILD, TEXT, VOICE, Caller
from voice.models import VoiceState

PATH = f"/channels/{VOICE}"


def everyone_may(*more: Permission, but: int = 0) -> None:
    mask = EVERYONE_DEFAULT & ~but
    for permission in more:
        mask |= int(permission)
    Role.objects.filter(pk=GUILD).update(permissions=mask)


def test_what_a_channel_is(stage: None, bob: Caller):
    assert bob.get(PATH).json() == {
        "id": str(VOICE), "type": 2, "guild_id": str(GUILD), "name": f"channel{VOICE}",
        "bitrate": 64000, "user_limit": 0, "voice_connection_limit": 5, "rtc_region": None,
    }  # fmt: skip
    assert bob.get(f"/channels/{DM}").json()["guild_id"] is None
    assert bob.get(f"/channels/{TEXT}").json()["type"] == 0


def test_who_does_not_see_it(stage: None, bob: Caller, charlie: Caller):
    everyone_may(but=int(Permission.VIEW_CHANNEL))

    assert bob.get(PATH).json()["code"] == "MISSING_PERMISSIONS"
    assert charlie.get(PATH).json()["code"] == "UNKNOWN_MEMBER"
    assert charlie.get(f"/channels/{DM}").json()["code"] == "UNKNOWN_CHANNEL"
    assert bob.get("/channels/5").json()["code"] == "UNKNOWN_CHANNEL"
    assert bob.patch(PATH, {"user_limit": 3}).json()["code"] == "MISSING_PERMISSIONS"


@pytest.mark.parametrize(
    ("body", "needed"),
    [
        ({"user_limit": 3}, Permission.MANAGE_CHANNELS),
        ({"bitrate": 8000}, Permission.MANAGE_CHANNELS),
        ({"voice_connection_limit": 1}, Permission.MANAGE_CHANNELS),
        ({"rtc_region": "us-west"}, Permission.UPDATE_RTC_REGION),
    ],
)
def test_each_needs_its_permission_and_no_other(
    west: FakeLiveKit, bob: Caller, body: dict[str, Any], needed: Permission
):
    both = Permission.MANAGE_CHANNELS | Permission.UPDATE_RTC_REGION
    everyone_may(both & ~needed)
    answer = bob.patch(PATH, body)
    assert answer.json()["code"] == "MISSING_PERMISSIONS"
    assert needed.name in answer.json()["message"]

    everyone_may(needed)
    answer = bob.patch(PATH, body)
    assert answer.status_code == 200
    assert body.items() <= answer.json().items()


def test_together_they_need_both(west: FakeLiveKit, bob: Caller):
    everyone_may(Permission.MANAGE_CHANNELS)

    answer = bob.patch(PATH, {"user_limit": 3, "rtc_region": "us-west"})

    assert answer.status_code == 403
    assert Channel.objects.get(pk=VOICE).user_limit == 0


@pytest.mark.parametrize(
    "body",
    [
        {"bitrate": 7999}, {"bitrate": 384001}, {"bitrate": "64000"}, {"bitrate": None},
        {"user_limit": -1}, {"user_limit": 100}, {"user_limit": True},
        {"voice_connection_limit": 0}, {"voice_connection_limit": 101},
        {"rtc_region": 5}, {"rtc_region": ""},
    ],
)  # fmt: skip
def test_what_is_out_of_bounds(stage: None, alice: Caller, body: dict[str, Any]):
    answer = alice.patch(PATH, body)

    assert answer.json()["code"] == "INVALID_FORM_BODY"
    assert [error["path"] for error in answer.json()["errors"]] == list(body)


@pytest.mark.parametrize(
    "body",
    [
        {"bitrate": 8000}, {"bitrate": 384000}, {"user_limit": 0}, {"user_limit": 99},
        {"voice_connection_limit": 1}, {"voice_connection_limit": 100}, {}, {"name": "x"},
    ],
)  # fmt: skip
def test_what_is_within(stage: None, alice: Caller, body: dict[str, Any]):
    assert alice.patch(PATH, body).status_code == 200
    assert Channel.objects.get(pk=VOICE).name == f"channel{VOICE}"


def test_a_text_channel_has_no_voice_to_set(stage: None, alice: Caller):
    answer = alice.patch(f"/channels/{TEXT}", {"user_limit": 3})
    assert answer.json()["code"] == "INVALID_CHANNEL_TYPE"


def test_lowered_limits_throw_nobody_out(west: FakeLiveKit, alice: Caller, bob: Caller):
    inside = [enter(west, alice), enter(west, bob), enter(west, bob)]

    alice.patch(PATH, {"user_limit": 1, "voice_connection_limit": 1})
    follow()

    assert all(one.inside for one in inside)
    assert VoiceState.objects.count() == 3
    assert bob.ask().json()["code"] == "VOICE_CONNECTION_LIMIT_REACHED"


def test_the_people_of_a_call_choose_its_region_and_nothing_else(west: FakeLiveKit, bob: Caller):
    assert bob.patch(f"/channels/{GROUP}", {"rtc_region": "us-west"}).status_code == 200
    assert bob.patch(f"/channels/{GROUP}", {"user_limit": 2}).status_code == 403


def test_disconnecting_everybody(west: FakeLiveKit, moira: Caller, bob: Caller, alice: Caller):
    inside = [enter(west, alice), enter(west, bob)]
    tokens = [one.refreshed_token() for one in inside]
    path = f"{PATH}/voice/disconnect"
    assert bob.post(path).json()["code"] == "MISSING_PERMISSIONS"

    with west.calls_during() as calls:
        answer = moira.post(path)
    assert not calls
    assert answer.json() == {"success": True, "disconnected_count": 2}
    follow()
    assert not any(one.inside for one in inside)
    assert moira.post(path).json() == {"success": True, "disconnected_count": 0}

    again = [west.join(token) for token in tokens]
    follow()
    assert not any(one.inside for one in again)


def test_disconnecting_where_there_is_no_voice(stage: None, moira: Caller, bob: Caller):
    assert moira.post(f"/channels/{TEXT}/voice/disconnect").json()["code"] == "INVALID_CHANNEL_TYPE"
    assert bob.post(f"/channels/{DM}/voice/disconnect").json()["code"] == "MISSING_PERMISSIONS"
    assert bob.user_id == BOB
