"""Somebody who lost their connection a moment ago can be put out all the same."""

from django.utils import timezone

from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.scene import BOB, GUILD, Caller
from voice import tasks, waiting
from voice.models import AuditEntry, EndedConnection, VoiceState


def kick(moira: Caller, **body: str) -> int:
    answer = moira.patch(f"/guilds/{GUILD}/members/{BOB}", {"channel_id": None, **body})
    status: int = answer.status_code
    return status


def test_who_is_away_does_not_return_past_a_kick(
    west: FakeLiveKit, bob: Caller, moira: Caller
) -> None:
    token = bob.token()["token"]
    west.join(token).leave()
    assert EndedConnection.objects.get().may_return_until is not None

    assert kick(moira) == 200

    west.join(token)
    assert not VoiceState.objects.exists()
    for server_id, room in list(waiting.due(now=timezone.now())):
        tasks.settle(server_id, room)
    assert not west.rooms.people(f"guild_{GUILD}_channel_{scene.VOICE}")
    assert AuditEntry.objects.get().action == "disconnect"


def test_who_is_moved_does_not_return_with_another_connection(
    west: FakeLiveKit, bob: Caller, moira: Caller
) -> None:
    west.join(bob.token()["token"])
    left = bob.token()["token"]
    west.join(left).leave()
    moved = moira.patch(f"/guilds/{GUILD}/members/{BOB}", {"channel_id": str(scene.OTHER_VOICE)})
    assert moved.status_code == 200

    west.join(left)
    assert not VoiceState.objects.filter(channel=scene.VOICE).exists()


def test_one_connection_that_is_away_can_be_named(
    west: FakeLiveKit, bob: Caller, moira: Caller
) -> None:
    grant = bob.token()
    west.join(grant["token"]).leave()

    assert kick(moira, connection_id="conn_another") == 400
    assert kick(moira, connection_id=grant["connection_id"]) == 200
    assert kick(moira, connection_id=grant["connection_id"]) == 400
