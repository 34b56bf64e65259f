"""What a moderator does reaches the media: at once, and again when somebody comes back."""

import pytest

from tests.e2e.town import Person, Town, soon
from tests.livekit.rtc import RtcClient, RtcError


@pytest.fixture
def talk(town: Town) -> Town:
    """alice and bob are in, and hear each other."""
    for person in (town.alice, town.bob):
        person.join(town.voice)
        person.client.publish_microphone()
    assert town.alice.client.hears(town.bob.identity)
    assert town.bob.client.hears(town.alice.identity)
    return town


def is_out(town: Town, channel: int, person: Person) -> bool:
    return person.identity not in {shown["identity"] for shown in town.room(channel)}


def test_a_muted_microphone_disappears_and_stays_away_until_unmuted(talk: Town):
    talk.moderate(talk.bob, mute=True)

    talk.alice.client.wait_for("track_unpublished", timeout=2, identity=talk.bob.identity)
    with pytest.raises(RtcError):
        talk.bob.client.publish_microphone(timeout=1)
    talk.bob.client.publish_camera()

    talk.moderate(talk.bob, mute=False)
    talk.bob.client.wait_for("permissions_changed", timeout=2)
    heard: list[bool] = []

    def is_heard() -> bool:
        try:
            talk.bob.client.publish_microphone(timeout=1)
        except RtcError:
            return False
        heard.append(talk.alice.client.hears(talk.bob.identity))
        return True

    soon(is_heard)
    assert heard == [True]


def test_a_deafened_person_receives_nothing_and_speaks_on(talk: Town):
    talk.moderate(talk.bob, deaf=True)

    talk.bob.client.wait_for("permissions_changed", timeout=2, can_subscribe=False)
    # The last sounds are still on their way, or in the buffer.
    soon(lambda: not talk.bob.client.hears(talk.alice.identity, timeout=1))
    assert talk.alice.client.hears(talk.bob.identity)


def test_a_moved_person_finds_the_new_channel_and_goes_in(talk: Town):
    old = talk.bob.connection_id
    talk.moderate(talk.bob, channel_id=str(talk.lounge))

    talk.bob.client.wait_for("disconnected", timeout=2, reason="PARTICIPANT_REMOVED")
    assert is_out(talk, talk.voice, talk.bob)

    found = talk.bob.state().body
    assert found["channel_id"] == str(talk.lounge)
    assert found["connection_id"] != old
    grant = talk.bob.join(talk.lounge, connection_id=found["connection_id"])
    assert grant["connection_id"] == found["connection_id"]
    soon(lambda: talk.bob.state().body["joined_at"])
    assert [shown["identity"] for shown in talk.room(talk.lounge)] == [talk.bob.identity]


def test_a_kicked_person_is_out_and_out_again_with_the_old_token(talk: Town):
    token = talk.bob.client.latest_token
    talk.moderate(talk.bob, channel_id=None)

    talk.bob.client.wait_for("disconnected", timeout=2, reason="PARTICIPANT_REMOVED")
    assert talk.bob.state().body["reason"] == "disconnected"

    intruder: RtcClient = talk.rtc(talk.bob.client.url, token, name="bob again")
    intruder.connect()
    seconds = soon(lambda: is_out(talk, talk.voice, talk.bob))
    print(f"the intruder was gone after {seconds:.2f} s")
    assert seconds <= 2
    intruder.wait_for("disconnected", timeout=2)
    assert [state["user_id"] for state in talk.states(talk.voice)] == [str(talk.alice.id)]
