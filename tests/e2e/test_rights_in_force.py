"""What the back end tells of rights acts on people who are inside."""

import pytest

from fluxer.directory.permissions import Permission
from tests.e2e.town import Town, soon
from tests.livekit.rtc import RtcError


@pytest.fixture
def talk(town: Town) -> Town:
    """alice, the owner, and bob are in; bob speaks."""
    for person in (town.alice, town.bob):
        person.join(town.voice)
    town.bob.client.publish_microphone()
    assert town.alice.client.hears(town.bob.identity)
    return town


def test_a_role_that_loses_speak_silences_those_inside(talk: Town):
    talk.everyone(talk.may(Permission.SPEAK))

    talk.alice.client.wait_for("track_unpublished", timeout=2, identity=talk.bob.identity)
    with pytest.raises(RtcError):
        talk.bob.client.publish_microphone(timeout=1)


def test_a_role_that_loses_connect_puts_out_those_inside(talk: Town):
    talk.everyone(talk.may(Permission.CONNECT))

    talk.bob.client.wait_for("disconnected", timeout=2, reason="PARTICIPANT_REMOVED")
    assert talk.bob.state().body["reason"] == "no_access"
    assert [shown["identity"] for shown in talk.room(talk.voice)] == [talk.alice.identity]


def test_a_deleted_channel_is_empty(talk: Town):
    talk.back_end.do("DELETE", f"/service/channels/{talk.voice}")

    for person in (talk.alice, talk.bob):
        person.client.wait_for("disconnected", timeout=2)
    assert talk.bob.state().body["reason"] == "channel_deleted"


def test_a_banned_person_is_out_however_often_they_try(talk: Town):
    token, url = talk.bob.client.latest_token, talk.bob.client.url
    talk.back_end.do("DELETE", f"/service/guilds/{talk.guild}/members/{talk.bob.id}")

    talk.bob.client.wait_for("disconnected", timeout=2)
    assert talk.bob.ask(talk.voice).body["code"] == "UNKNOWN_MEMBER"
    for _ in range(2):
        again = talk.rtc(url, token, name="bob again")
        again.connect()
        again.wait_for("disconnected", timeout=2)
    soon(lambda: len(talk.room(talk.voice)) == 1)
