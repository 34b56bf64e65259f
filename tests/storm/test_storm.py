"""A short storm, and that its judge would notice."""

import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.utils import timezone

from fluxer.directory.models import Channel, Member, Role
from fluxer.directory.permissions import EVERYONE_DEFAULT, Permission
from tests.livekit.fake import FakeLiveKit
from tests.storm.judge import Watch, disagreements
from tests.storm.run import storm
from tests.voice import scene
from tests.voice.orders import moderate
from tests.voice.scene import ALICE, BOB, GUILD, VOICE, Caller
from voice.models import RoomPin, VoiceState

ROOM = f"guild_{GUILD}_channel_{VOICE}"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_after_a_storm_the_tables_are_what_the_servers_show(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    result = storm(seconds=8, rate=50, threads=6, seed=seed, directory=tmp_path)

    assert result.wrong == [], f"seed {seed}\n{result}"
    assert result.actions > 50


def test_the_judge_sees_what_agrees(west: FakeLiveKit, alice: Caller) -> None:
    west.join(alice.token()["token"])
    assert disagreements([west]) == []


def test_the_judge_sees_what_does_not(west: FakeLiveKit, alice: Caller) -> None:
    person = west.join(alice.token()["token"])
    connection_id = VoiceState.objects.get().pk
    person.info.permission.can_publish = False
    assert any("another permission" in line for line in disagreements([west]))
    person.vanish()
    assert any("ghost" in line for line in disagreements([west]))
    assert any("was ended for good" in line for line in disagreements([west], over=[connection_id]))
    west.webhooks.off()
    west.join(west.token(ROOM, "user_2_conn_handmade"))
    assert any("stranger" in line for line in disagreements([west]))
    VoiceState.objects.all().delete()
    RoomPin.objects.update(expires_at=timezone.now())
    assert any("pin without reason" in line for line in disagreements([west]))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda: Member.objects.filter(user_id=BOB).update(mute=True), "mute=True"),
        (
            lambda: Role.objects.update(permissions=EVERYONE_DEFAULT & ~Permission.STREAM),
            "can_stream=False",
        ),
        (lambda: Role.objects.update(permissions=0), "may not be there"),
        (lambda: Member.objects.filter(user_id=BOB).delete(), "may not be there"),
    ],
    ids=["muted", "may not stream", "has no right", "is no member"],
)
def test_the_judge_sees_who_has_other_rights_than_the_directory_says(
    west: FakeLiveKit, bob: Caller, change: Callable[[], object], word: str
) -> None:
    west.join(bob.token()["token"])
    connection_id = VoiceState.objects.get().pk
    change()
    [line] = disagreements([west])
    assert connection_id in line
    assert word in line


@pytest.mark.django_db(transaction=True)
def test_the_judge_sees_a_limit_exceeded(west: FakeLiveKit) -> None:
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    with ExitStack() as stack:
        watch = Watch()
        stack.callback(watch.stop)
        for user in (ALICE, BOB):
            scene.seat(user)
        watch.two_looks()
    assert watch.exceeded == {f"2 users in channel {VOICE}, limit 1"}


@pytest.mark.django_db(transaction=True)
def test_the_judge_knows_who_is_out_for_good(west: FakeLiveKit, bob: Caller, moira: Caller) -> None:
    west.join(bob.token()["token"])
    connection_id = VoiceState.objects.get(user_id=BOB).pk
    with ExitStack() as stack:
        watch = Watch()
        stack.callback(watch.stop)
        moderate(moira, BOB, channel_id=None)
        watch.two_looks()
    assert watch.out == {connection_id}
