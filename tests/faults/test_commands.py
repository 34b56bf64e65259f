"""What operators do by hand: see what differs, settle it, and hear whether it went through."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.scene import GUILD, VOICE, Caller, written
from voice import due, tasks
from voice.reconciling import reconcile

ROOM = f"guild_{GUILD}_channel_{VOICE}"


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def failed(command: str, *arguments: str) -> tuple[str, str]:
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command(command, *arguments, stdout=out)
    assert error.value.returncode == 1
    return out.getvalue(), str(error.value)


def test_a_worker_that_was_faster_is_no_failure(stranger: Any) -> None:
    def watch(said: str) -> None:
        if "settling" in said:
            tasks.settle(Server.objects.get().pk, ROOM)

    (outcome,) = reconcile(Server.objects.all(), is_dry=False, watch=watch)
    assert not stranger.inside
    assert (outcome.settled, outcome.failed) == ([ROOM], [])


@pytest.fixture
def stranger(west: FakeLiveKit, alice: Caller) -> Any:
    west.join(alice.token()["token"])
    west.webhooks.off()
    return west.join(west.token(ROOM, "user_2_conn_handmade"))


def test_nothing_to_do(west: FakeLiveKit):
    assert run("voice_reconcile") == "us-west/us-west-1: 0 rooms, 0 participants, 0 rooms differ\n"


def test_a_dry_run_says_it_and_changes_nothing(west: FakeLiveKit, stranger: Any):
    before = written()
    said = run("voice_reconcile", "--dry-run")

    assert f"  {ROOM} user_2_conn_handmade: nobody of ours" in said
    assert "dry run" in said
    assert written() == before
    assert stranger.inside


def test_it_does_what_it_says(stranger: Any):
    assert "1 rooms differ" in run("voice_reconcile")
    assert not stranger.inside


def test_a_program_reads_it(stranger: Any):
    said = json.loads(run("voice_reconcile", "--json", "--server", "us-west/us-west-1"))

    (server,) = said["servers"]
    assert said["dry_run"] is False
    assert server["differences"] == [
        {"room": ROOM, "kind": "stranger", "identity": "user_2_conn_handmade"}
    ]
    assert (server["settled"], server["failed"], server["error"]) == ([ROOM], [], "")


def test_a_server_that_does_not_answer_is_a_failure(west: FakeLiveKit, stranger: Any):
    with west.fault("error", method="ListRooms"):
        said, error = failed("voice_reconcile")
    assert "us-west/us-west-1: LiveKit answered ListRooms with 500 internal" in said
    assert error == "1 of 1 servers were not reconciled."
    assert stranger.inside


def test_a_removal_that_does_not_go_through_is_a_failure(west: FakeLiveKit, stranger: Any):
    with west.fault("error", method="RemoveParticipant"):
        said, _ = failed("voice_reconcile")
    assert f"{ROOM}: could not be settled now; it stays due" in said
    assert stranger.inside


def test_a_room_that_a_worker_is_at_is_not_said_to_be_settled(west: FakeLiveKit, stranger: Any):
    server_id = Server.objects.get().pk
    due.mark((server_id, ROOM))
    assert due.claim(server_id=server_id, room=ROOM, now=timezone.now())

    said, _ = failed("voice_reconcile")

    assert f"{ROOM}: could not be settled now; it stays due" in said
    assert stranger.inside


def test_a_server_that_is_down_is_not_asked_and_a_failure(west: FakeLiveKit):
    Server.objects.update(down_since=timezone.now())
    with west.calls_during() as calls:
        said, _ = failed("voice_reconcile")
    assert "down since" in said
    assert calls == []


def test_only_the_server_named(west: FakeLiveKit, east: FakeLiveKit):
    assert run("voice_reconcile", "--server", "us-east/us-east-1").startswith("us-east/")
    _, error = failed("voice_reconcile", "--server", "us-east/nobody")
    assert "no server us-east/nobody" in error


def test_a_probe_says_who_answers(
    west: FakeLiveKit, fake_livekit: Any, later: Callable[[float], None]
):
    assert run("regions_probe").startswith("us-west/us-west-1: up in ")
    dead = fake_livekit()
    scene.server(dead, "us-east", is_active=False, is_draining=True)
    dead.refuse()

    said = run("regions_probe")
    assert "us-east/us-east-1 (inactive, draining): up: LiveKit cannot be reached" in said
    Server.objects.update(is_active=True)
    later(3)
    said, error = failed("regions_probe", "--json")
    assert error == "Did not answer: us-east/us-east-1."
    assert [(s["server"], s["state"]) for s in json.loads(said)] == [
        ("us-east/us-east-1", "down"),
        ("us-west/us-west-1", "up"),
    ]


def test_a_probe_of_nothing(db: None):
    assert run("regions_probe") == "There are no servers.\n"
