"""The main job: people get tokens, meet, speak, are counted, and leave."""

import time

import pytest

from fluxer.directory.permissions import Permission
from tests.e2e import settings
from tests.e2e.town import Town, soon
from tests.livekit.rtc import RtcError


def test_two_people_meet_are_heard_counted_and_leave(town: Town):
    alice, bob = town.alice, town.bob
    alice.join(town.voice)
    bob.join(town.voice)
    alice.client.publish_microphone()

    assert bob.client.hears(alice.identity)

    longest = max(settings.VOICE_TOKEN_TTL, settings.VOICE_PIN_TIMEOUT)
    time.sleep(longest + 2)
    states = town.states(town.voice)
    assert {state["connection_id"] for state in states} == {alice.connection_id, bob.connection_id}
    assert all(state["joined_at"] for state in states)
    pin = town.pin(town.voice)
    assert pin is not None
    assert pin["server_id"] == "us-west-1"
    assert pin["expires_at"] is None
    assert bob.client.hears(alice.identity)

    alice.client.disconnect()
    bob.client.disconnect()

    soon(lambda: not town.states(town.voice))
    expiring = town.pin(town.voice)
    assert expiring is None or expiring["expires_at"]
    soon(lambda: town.pin(town.voice) is None, within=settings.VOICE_PIN_TIMEOUT + 2)


def test_somebody_without_speak_is_in_and_cannot_publish(town: Town):
    overwrite = {"id": str(town.dora.id), "type": 1, "deny": str(int(Permission.SPEAK))}
    town.back_end.do("PATCH", f"/service/channels/{town.voice}", {"overwrites": [overwrite]})
    town.dora.join(town.voice)

    with pytest.raises(RtcError):
        town.dora.client.publish_microphone(timeout=1)
    town.dora.client.publish_camera()

    soon(lambda: published(town) == ["VIDEO"])


def published(town: Town) -> list[str]:
    shown = town.room(town.voice)
    return [track["type"] for person in shown for track in person["tracks"]]


def test_a_third_person_is_refused_where_two_may_be(town: Town):
    town.back_end.do("PATCH", f"/service/channels/{town.voice}", {"user_limit": 2})
    town.alice.join(town.voice)
    town.bob.join(town.voice)

    answer = town.dora.ask(town.voice)

    assert answer.status == 400
    assert answer.body == {"code": "VOICE_CHANNEL_FULL", "message": "Voice channel is full"}
    town.bob.client.disconnect()
    soon(lambda: town.dora.ask(town.voice).status == 200)
