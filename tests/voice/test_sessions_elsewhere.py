"""What ends for a join ends under the lock of its channel, wherever that is by now."""

from typing import Any

import pytest

from tests.livekit.fake import FakeLiveKit
from tests.voice.devices import Device
from tests.voice.frozen import hold
from tests.voice.races import Rival
from tests.voice.scene import ALICE, OTHER_VOICE, VOICE, seat
from voice.models import EndedConnection, VoiceState
from voice.states import lookup

PHONE = "phone"


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_came_between_is_not_ended_without_its_lock(
    west: FakeLiveKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phone joins here; as soon as this is decided upon, it has a seat elsewhere, too, and
    somebody writes that channel."""
    pick = lookup.pick
    rival = Rival(lambda: seat(ALICE, OTHER_VOICE, session=PHONE))

    def let_in_and_pick(*states: Any, **which: Any) -> VoiceState | None:
        rival.let_in(moment=5)
        return pick(*states, **which)

    monkeypatch.setattr(lookup, "pick", let_in_and_pick)
    with hold(OTHER_VOICE):
        assert Device(ALICE, sid=PHONE).change(channel_id=VOICE).status_code == 503
    assert not EndedConnection.objects.exists()
    assert VoiceState.objects.get().channel_id == OTHER_VOICE

    Device(ALICE, sid=PHONE).be(VOICE)
    assert VoiceState.objects.get().channel_id == VOICE
    assert EndedConnection.objects.get().channel_id == OTHER_VOICE
