"""Permissions in LiveKit's words."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from livekit.protocol.models import ParticipantPermission

from fluxer.directory.models import ChannelType
from fluxer.directory.permissions import EVERYONE_DEFAULT, Permission
from fluxer.directory.standing import Standing
from tests.livekit.tokens import permission_of
from voice import wire
from voice.grants import Admission, Overrides, decide, may_enter, video_grant

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MIC, CAM, SCREEN, SOUND = "microphone", "camera", "screen_share", "screen_share_audio"
SPEAK, STREAM = Permission.SPEAK, Permission.STREAM


def standing(mask: int = EVERYONE_DEFAULT, **fields: Any) -> Standing:
    """A member of guild 10 in its voice channel, who owns nothing."""
    values: dict[str, Any] = {
        "user_id": 2,
        "username": "bob",
        "display_name": "",
        "is_claimed": True,
        "channel_id": 100,
        "type": ChannelType.GUILD_VOICE,
        "guild_id": 10,
        "recipient_ids": (),
        "user_limit": 0,
        "voice_connection_limit": 5,
        "rtc_region": None,
        "overwrites": "[]",
        "owner_id": 1,
        "features": (),
        "is_member": True,
        "role_ids": (),
        "nick": "",
        "mute": False,
        "deaf": False,
        "timed_out_until": None,
        "role_mask": mask,
    }
    return Standing(**{**values, **fields})


def call(kind: int, **fields: Any) -> Standing:
    nothing: dict[str, Any] = {
        "guild_id": None,
        "owner_id": None,
        "features": None,
        "is_member": False,
        "role_ids": None,
        "nick": None,
        "mute": None,
        "deaf": None,
        "role_mask": 0,
        "recipient_ids": (1, 2),
    }
    return standing(**{**nothing, "type": kind, **fields})


# speak, stream, mute: the sources
TABLE = [
    (True, True, False, [MIC, CAM, SCREEN, SOUND]),
    (True, True, True, [CAM, SCREEN]),
    (True, False, False, [MIC]),
    (True, False, True, []),
    (False, True, False, [CAM, SCREEN, SOUND]),
    (False, True, True, [CAM, SCREEN]),
    (False, False, False, []),
    (False, False, True, []),
]


@pytest.mark.parametrize(("speak", "stream", "mute", "sources"), TABLE)
@pytest.mark.parametrize("deaf", [False, True])
def test_the_sources_that_may_be_published(
    speak: bool, stream: bool, mute: bool, sources: list[str], deaf: bool
):
    rights = decide(standing((SPEAK * speak) | (STREAM * stream), mute=mute, deaf=deaf))

    assert video_grant(rights, room="guild_10_channel_100") == {
        "room": "guild_10_channel_100",
        "roomJoin": True,
        "canPublish": bool(sources),  # an empty list would mean all of them
        "canSubscribe": not deaf,
        "canPublishData": True,
        "canPublishSources": sources,
    }


@pytest.mark.parametrize("kind", [ChannelType.DM, ChannelType.GROUP_DM])
def test_in_calls_everything_is_granted(kind: int):
    assert decide(call(kind)).sources == [MIC, CAM, SCREEN, SOUND]


@pytest.mark.parametrize("kind", [ChannelType.DM, ChannelType.GROUP_DM])
def test_but_to_its_people_only(kind: int):
    assert decide(call(kind, user_id=9)).sources == []


@pytest.mark.parametrize(("speak", "stream", "mute", "sources"), TABLE)
@pytest.mark.parametrize("deaf", [False, True])
def test_tokens_and_updates_say_the_same(
    speak: bool, stream: bool, mute: bool, sources: list[str], deaf: bool
):
    """What a join with our token may do agrees with what our update would say, and no other."""
    rights = decide(standing((SPEAK * speak) | (STREAM * stream), mute=mute, deaf=deaf))
    joined = permission_of(video_grant(rights, room="r"))

    assert wire.agrees(joined, rights)
    assert wire.agrees(wire.permission(rights), rights)
    for other_speak, other_stream, other_mute, other in TABLE:
        mask = (SPEAK * other_speak) | (STREAM * other_stream)
        others = decide(standing(mask, mute=other_mute, deaf=deaf))
        assert wire.agrees(joined, others) == (other == sources)


@pytest.mark.parametrize(
    "more", ["hidden", "recorder", "can_update_metadata"], ids=lambda name: name
)
def test_more_than_we_grant_does_not_agree(more: str):
    rights = decide(standing())
    shown = ParticipantPermission()
    shown.CopyFrom(wire.permission(rights))
    setattr(shown, more, True)

    assert not wire.agrees(shown, rights)


def test_all_sources_may_be_written_as_none_of_them():
    rights = decide(standing())
    shown = ParticipantPermission(can_publish=True, can_subscribe=True, can_publish_data=True)

    assert wire.agrees(shown, rights)
    assert not wire.agrees(shown, decide(standing(SPEAK)))


def test_overrides_hold_but_a_mute_wins():
    muted = decide(standing(mute=True), overrides=Overrides(speak=True, mute=False))
    assert (muted.mute, muted.can_speak) == (True, False)
    silent = decide(standing(), overrides=Overrides(speak=False, stream=False, video=True))
    assert silent.sources == [CAM]
    # In calls there is no member to mute.
    assert decide(call(ChannelType.DM), overrides=Overrides(mute=True)).sources == [CAM, SCREEN]
    assert decide(call(ChannelType.DM), overrides=Overrides(deaf=True)).deaf


def test_suppressed_is_who_may_not_speak_here():
    assert decide(standing(STREAM)).suppress
    assert not decide(standing(SPEAK, mute=True)).suppress


def test_an_admission_gives_what_the_moderator_had():
    assert decide(standing(0), admission=Admission(speak=True)).sources == [MIC]
    assert decide(standing(0), admission=Admission(stream=True)).sources == [CAM, SCREEN, SOUND]
    assert decide(standing(0, mute=True), admission=Admission(speak=True)).sources == []


@pytest.mark.parametrize(
    ("member", "claimed", "timed_out", "may_connect", "admitted"),
    list(product([True, False], repeat=5)),
)
def test_who_may_be_in_a_guilds_channel(
    member: bool, claimed: bool, timed_out: bool, may_connect: bool, admitted: bool
):
    who = standing(
        EVERYONE_DEFAULT if may_connect else EVERYONE_DEFAULT & ~Permission.CONNECT,
        is_member=member,
        is_claimed=claimed,
        timed_out_until=NOW + timedelta(seconds=1) if timed_out else NOW,
    )

    may = may_enter(who, admission=Admission() if admitted else None, now=NOW)

    assert may == (member and not timed_out and (admitted or (claimed and may_connect)))


@pytest.mark.parametrize(
    ("kind", "user_id", "claimed", "may"),
    [
        (ChannelType.DM, 2, True, True),
        (ChannelType.DM, 2, False, False),
        (ChannelType.DM, 9, True, False),
        (ChannelType.GROUP_DM, 2, False, True),
        (ChannelType.GROUP_DM, 9, True, False),
    ],
)
def test_who_may_be_in_a_call(kind: int, user_id: int, claimed: bool, may: bool):
    who = call(kind, user_id=user_id, is_claimed=claimed)

    assert may_enter(who, admission=None, now=NOW) is may
