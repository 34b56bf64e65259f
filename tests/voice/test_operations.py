"""The back end's voice operations, by the seed's names and by their routes."""

from functools import partial
from typing import Any

import pytest

from fluxer.directory.models import Member
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import PublishRefused
from tests.voice import scene
from tests.voice.follow import follow
from tests.voice.orders import BackEnd, connection_of, enter, state_of
from tests.voice.scene import ALICE, BOB, DM, GUILD, OTHER_VOICE, VOICE, Caller
from voice import operations
from voice.models import EndedConnection, RoomPin, VoiceState

PIN = f"/channels/{VOICE}/voice"
PEOPLE = f"{PIN}/participants"
BOBS = f"{PEOPLE}/{BOB}"


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_seeds_names_are_there():
    for name in (
        "pin_room_server", "get_pinned_room_server", "list_participants", "disconnect_channel",
        "disconnect_participant", "update_participant", "update_participant_permissions",
    ):  # fmt: skip
        assert callable(getattr(operations, name))


def test_people_have_no_business_here(stage: None, alice: Caller):
    assert code(alice.get(f"/service{PIN}")) == (401, "UNAUTHORIZED")


def test_the_pin(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    assert code(back_end.ask("GET", PIN)) == (404, "UNKNOWN_VOICE_SERVER")
    assert code(back_end.ask("GET", "/channels/5/voice")) == (404, "UNKNOWN_CHANNEL")

    participant = enter(west, bob)
    pin = back_end.do("GET", PIN)
    assert set(pin) == {"region_id", "server_id", "endpoint", "pinned_at", "expires_at"}
    assert (pin["region_id"], pin["server_id"], pin["endpoint"], pin["expires_at"]) == (
        "us-west", "us-west-1", west.url, None,
    )  # fmt: skip
    participant.leave()
    assert back_end.do("GET", PIN)["expires_at"] > pin["pinned_at"]


def test_a_room_can_be_pinned_ahead_and_keeps_its_pin(
    west: FakeLiveKit, east: FakeLiveKit, bob: Caller
):
    pin = partial(operations.pin_room_server, channel_id=VOICE)
    assert pin(region_id="us-east", server_id="us-east-1").endpoint == east.url
    assert RoomPin.objects.get().expires_at is not None
    assert bob.token()["endpoint"] == east.url
    assert pin(region_id="us-west", server_id="us-west-1").endpoint == east.url


def test_who_is_in_the_room(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    assert code(back_end.ask("GET", PEOPLE)) == (404, "UNKNOWN_VOICE_SERVER")
    participant = enter(west, bob)
    track = participant.publish()

    assert back_end.do("GET", PEOPLE) == {
        "status": "success",
        "participants": [
            {
                "identity": participant.identity,
                "state": "ACTIVE",
                "tracks": [{"sid": track.sid, "type": "AUDIO", "muted": False}],
                "metadata": participant.info.metadata,
                "joined_at": participant.info.joined_at,
            }
        ],
    }


def test_on_a_server_that_is_named(
    west: FakeLiveKit, east: FakeLiveKit, bob: Caller, back_end: BackEnd
):
    enter(west, bob)

    def people(server: str) -> int:
        query = f"?region_id={server}&server_id={server}-1"
        return len(back_end.do("GET", PEOPLE + query)["participants"])

    assert (people("us-west"), people("us-east")) == (1, 0)
    unknown = back_end.ask("GET", f"{PEOPLE}?region_id=mars&server_id=1")
    assert code(unknown) == (404, "UNKNOWN_VOICE_SERVER")
    half = back_end.ask("GET", f"{PEOPLE}?region_id=us-west")
    assert half.json()["errors"][0]["path"] == "server_id"


@pytest.mark.parametrize("kind", ["error", "refuse", "not_found"])
def test_an_error_is_never_an_empty_list(
    west: FakeLiveKit, bob: Caller, back_end: BackEnd, kind: str
):
    enter(west, bob)
    if kind == "refuse":
        west.refuse()
    else:
        west.fault(
            "error",
            method="ListParticipants",
            code="internal" if kind == "error" else "not_found",
        )
    answer = back_end.ask("GET", PEOPLE)

    assert answer.status_code == 502
    assert answer.json() == {
        "code": "VOICE_SERVER_ERROR",
        "message": "The voice server did not answer",
        "status": "error",
        "error_code": "LIVEKIT_UNAVAILABLE",
        "retryable": True,
    }


def test_somebody_is_out_and_may_be_put_out_again(
    west: FakeLiveKit, bob: Caller, back_end: BackEnd
):
    inside = [enter(west, bob), enter(west, bob)]

    with west.calls_during() as calls:
        assert back_end.ask("DELETE", BOBS).status_code == 204
    assert not calls
    follow()
    assert not any(one.inside for one in inside)
    assert {ended.reason for ended in EndedConnection.objects.all()} == {"disconnected"}
    assert back_end.ask("DELETE", BOBS).status_code == 204
    assert back_end.ask("DELETE", f"{PEOPLE}/77").status_code == 204
    assert code(back_end.ask("DELETE", "/channels/5/voice/participants/2"))[1] == "UNKNOWN_CHANNEL"


def test_one_connection_of_two(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    one, two = enter(west, bob), enter(west, bob)

    back_end.do("DELETE", f"{BOBS}?connection_id={connection_of(one)}")
    follow()

    assert (one.inside, two.inside) == (False, True)


def test_a_name_that_was_left_empty_puts_out_nobody(
    west: FakeLiveKit, bob: Caller, back_end: BackEnd
):
    participant = enter(west, bob)
    assert code(back_end.ask("DELETE", f"{BOBS}?connection_id=")) == (400, "INVALID_FORM_BODY")
    follow()
    assert participant.inside


def test_even_if_the_pin_is_gone(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    """LiveKit lost us its leave; we had them down as left, and forgot the pin."""
    participant = enter(west, bob)
    west.webhooks.to(lambda body, headers: 200)
    back_end.do("DELETE", BOBS)
    RoomPin.objects.all().delete()
    scene.written()
    follow()
    assert not participant.inside


def test_who_was_away_does_not_return(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    participant = enter(west, bob)
    token = participant.refreshed_token()
    participant.leave()

    back_end.do("DELETE", BOBS)
    again = west.join(token)
    follow()

    assert not again.inside


def test_mute_in_a_guild_is_the_members(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    participant = enter(west, bob)
    elsewhere = enter(west, Caller(BOB, sid="x"), OTHER_VOICE)

    [state] = back_end.do("PATCH", BOBS, {"mute": True, "deaf": True})
    follow()

    assert (state["mute"], state["deaf"], state["channel_id"]) == (True, True, str(VOICE))
    assert Member.objects.get(user=BOB).mute
    for one in (participant, elsewhere):
        assert not one.info.permission.can_subscribe
        with pytest.raises(PublishRefused):
            one.publish()


def test_mute_in_a_call_is_for_the_connections_life(
    west: FakeLiveKit, bob: Caller, back_end: BackEnd
):
    participant = enter(west, bob, DM)
    path = f"/channels/{DM}/voice/participants/{BOB}"

    [state] = back_end.do("PATCH", path, {"mute": True})
    follow()
    assert state["mute"] is True
    with pytest.raises(PublishRefused):
        participant.publish()

    enter(west, bob, DM).publish()
    participant.leave()


def test_the_three_rights_outlive_every_later_settle(
    west: FakeLiveKit, bob: Caller, back_end: BackEnd
):
    participant = enter(west, bob)
    back_end.do("PATCH", BOBS, {"can_speak": False, "can_video": False})
    follow()
    back_end.do("PATCH", f"/guilds/{GUILD}/roles/{GUILD}", {"position": 1})
    back_end.do("PATCH", f"/channels/{VOICE}", {"overwrites": [
        {"id": str(BOB), "type": 1, "allow": str(1 << 21), "deny": "0"},
    ]})  # fmt: skip
    follow()

    for source, kind in (("MICROPHONE", "AUDIO"), ("CAMERA", "VIDEO")):
        with pytest.raises(PublishRefused):
            participant.publish(source, kind)
    participant.publish("SCREEN_SHARE", "VIDEO")
    assert not state_of(BOB).suppress


def test_they_end_with_the_connection(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    enter(west, bob)
    back_end.do("PATCH", BOBS, {"can_speak": False})
    follow()
    bob.patch(f"/guilds/{GUILD}/voice-states/@me", {"channel_id": None})

    enter(west, bob).publish()


def test_a_right_given_and_a_mute_that_still_wins(
    west: FakeLiveKit, bob: Caller, back_end: BackEnd
):
    back_end.do("PATCH", f"/guilds/{GUILD}/roles/{GUILD}", {"permissions": str(1 << 10 | 1 << 20)})
    participant = enter(west, bob)
    back_end.do("PATCH", BOBS, {"can_speak": True})
    follow()
    participant.publish()

    back_end.do("PATCH", BOBS, {"mute": True})
    follow()
    assert participant.published == set()


def test_one_connection_of_two_has_other_rights(west: FakeLiveKit, bob: Caller, back_end: BackEnd):
    one, two = enter(west, bob), enter(west, bob)

    body = {"can_speak": False, "connection_id": connection_of(one)}
    touched = back_end.do("PATCH", BOBS, body)
    follow()

    assert [state["connection_id"] for state in touched] == [connection_of(one)]
    two.publish()
    with pytest.raises(PublishRefused):
        one.publish()


def test_who_is_not_in_voice_has_no_rights_there(
    west: FakeLiveKit, bob: Caller, alice: Caller, back_end: BackEnd
):
    hers = connection_of(enter(west, alice))
    for body in ({"mute": True}, {"can_speak": True}, {"mute": True, "connection_id": hers}):
        assert code(back_end.ask("PATCH", BOBS, body)) == (400, "USER_NOT_IN_VOICE")
    assert not Member.objects.get(user=BOB).mute
    wrong = back_end.ask("PATCH", f"{PEOPLE}/{ALICE}", {"can_speak": 1})
    assert code(wrong) == (400, "INVALID_FORM_BODY")
    assert code(back_end.ask("PATCH", "/channels/5/voice/participants/2", {"mute": True})) == (
        404, "UNKNOWN_CHANNEL",
    )  # fmt: skip


def test_everybody_is_out(west: FakeLiveKit, bob: Caller, alice: Caller, back_end: BackEnd):
    inside = [enter(west, bob), enter(west, alice)]
    bob.token()

    path = f"{PIN}/disconnect"
    assert back_end.do("POST", path) == {"success": True, "disconnected_count": 3}
    follow()

    assert not any(one.inside for one in inside)
    assert not VoiceState.objects.exists()
    assert back_end.do("POST", path) == {"success": True, "disconnected_count": 0}
    assert code(back_end.ask("POST", "/channels/5/voice/disconnect"))[1] == "UNKNOWN_CHANNEL"
