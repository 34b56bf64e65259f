"""Flags, and the version that rises with what others can see, and only then."""

from typing import Any

import pytest

from fluxer.directory.models import Channel
from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device, error
from tests.voice.scene import BOB, VOICE, seat, written
from voice.models import VoiceState

FLAGS = ["self_mute", "self_deaf", "self_video", "self_stream"]

pytestmark = pytest.mark.usefixtures("stage")


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_set_and_taken_back(flag: str):
    bob = Device(BOB)
    bob.be(VOICE)

    assert bob.set(**{flag: True})[flag] is True
    assert bob.mine().json()[flag] is True
    state = bob.set(**{flag: False})
    assert (state[flag], state["version"]) == (False, 3)


def test_several_flags_are_one_change():
    bob = Device(BOB)
    bob.be(VOICE)

    assert bob.set(self_mute=True, self_deaf=True, self_video=True)["version"] == 2


@pytest.mark.parametrize(
    "body",
    [{}, {"self_mute": False}, {"mute": True}, {"channel_id": str(VOICE)}, {"unknown": 1}],
    ids=repr,
)
def test_the_version_stays_where_nothing_changes(body: dict[str, Any]):
    seat(BOB)
    before = written()

    assert Device(BOB).change(**body).json()["version"] == 1
    assert written() == before


def test_flags_go_with_the_channel_where_one_is():
    bob = Device(BOB)
    bob.be(VOICE)

    assert bob.be(VOICE, self_mute=True)["self_mute"]


@pytest.mark.parametrize("body", [{"self_mute": True}, {}], ids=repr)
def test_without_a_channel_one_must_be_in_voice(body: dict[str, Any]):
    assert error(Device(BOB).change(**body)) == (400, "USER_NOT_IN_VOICE")


def test_without_stream_there_is_no_video_and_nothing_to_see():
    overwrite = {"id": str(BOB), "type": 1, "allow": "0", "deny": str(1 << 9)}
    Channel.objects.filter(pk=VOICE).update(overwrites=[overwrite])
    bob = Device(BOB)
    bob.be(VOICE)

    state = bob.set(self_video=True, self_stream=True)

    assert (state["self_video"], state["self_stream"], state["version"]) == (False, False, 1)
    assert bob.be(VOICE, self_mute=True)["version"] == 2


def test_who_may_not_speak_is_suppressed():
    overwrite = {"id": str(BOB), "type": 1, "allow": "0", "deny": str(1 << 21)}
    Channel.objects.filter(pk=VOICE).update(overwrites=[overwrite])

    assert Device(BOB).be(VOICE)["suppress"] is True


def test_flags_never_reach_livekit(west: FakeLiveKit):
    bob = Device(BOB)
    bob.enter(west)

    with west.calls_during() as calls:
        bob.set(self_mute=True, self_deaf=True)

    assert calls == []


def test_a_join_and_a_reconnect_raise_the_version_once(west: FakeLiveKit):
    bob = Device(BOB)
    token = bob.token()["token"]
    west.join(token)
    assert VoiceState.objects.get().version == 2

    west.join(token)  # the client reconnects: another visit, and nothing to see

    assert VoiceState.objects.get().version == 2
