"""Nobody is taken for lost, or kept out, on the word of what is no longer, or not yet, so."""

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from livekit.protocol.models import Room

from fluxer.directory.changes import lock_channels
from regions.models import Server
from tests.faults.beat import Beat
from tests.faults.people import connection_of, renewed
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_webhooks import Webhook
from tests.voice.races import Rival
from tests.voice.scene import ALICE, BOB, GUILD, VOICE, Caller
from voice import failover
from voice.models import VoiceState

ROOM = f"guild_{GUILD}_channel_{VOICE}"
HOUR = 3_600_000  # ms


@pytest.fixture
def long_gone(west: FakeLiveKit, east: FakeLiveKit, alice: Caller, beat: Beat) -> Server:
    """us-west, which alice is on, and which does not answer for as long as people are kept."""
    west.join(alice.token()["token"])
    west.refuse()
    beat.interval(2)
    beat.later(settings.VOICE_DOWN_GRACE)
    beat.probe()
    gone = Server.objects.get(region_id="us-west")
    assert failover.lost(now=timezone.now()) == [gone.pk]
    return gone


@pytest.mark.django_db(transaction=True)
def test_a_server_that_comes_back_while_its_room_is_waited_for_loses_nobody(
    west: FakeLiveKit, long_gone: Server
):
    giving_up = Rival(lambda: failover.give_up(server_id=long_gone.pk))
    with transaction.atomic():
        list(lock_channels([VOICE]))
        giving_up.let_in()
        Server.objects.filter(pk=long_gone.pk).update(down_since=None, failures=0)

    assert giving_up.finish() == 0
    assert VoiceState.objects.get(user_id=ALICE).joined_at is not None


def test_a_server_that_is_in_doubt_is_no_witness_that_another_is_lost(
    east: FakeLiveKit, long_gone: Server, beat: Beat
):
    """If both are unreachable, it may well be us who are cut off."""
    east.refuse()
    beat.probe()
    assert Server.objects.get(region_id="us-east").down_since is None

    assert failover.lost(now=timezone.now()) == []


@pytest.fixture
def told_late(west: FakeLiveKit, east: FakeLiveKit, bob: Caller) -> Webhook:
    """bob came and left, and his join, which is told after his leave, is not told yet."""
    with west.webhooks.held() as held:
        west.join(bob.token()["token"]).leave()
    joined, left = (
        next(one for one in held if one.event.event == f"participant_{what}")
        for what in ("joined", "left")
    )
    west.webhooks.send(left)
    return joined


@pytest.mark.usefixtures("told_late")
def test_who_left_the_lost_server_is_in_on_another_whose_clock_is_behind(
    west: FakeLiveKit, east: FakeLiveKit, bob: Caller, beat: Beat
):
    assert VoiceState.objects.get(user_id=BOB).gone_joined_at_ms > 0
    west.die()
    east.rooms.behind_ms = HOUR
    beat.probe()
    beat.later(3)
    beat.probe()
    person = east.join(renewed(bob, VOICE)["token"])

    assert VoiceState.objects.get(user_id=BOB).participant_sid == person.sid


def test_who_left_the_lost_server_is_not_in_when_the_room_is_back_there(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat,
    told_late: Webhook,
):  # fmt: skip
    connection_id = connection_of(BOB)
    for dies, lives, region in ((west, east, "us-east"), (east, west, "us-west")):
        lives.accept()
        dies.die()
        beat.probe()
        beat.later(3)
        beat.probe()
        assert alice.token(region=region)["endpoint"] == lives.url
    bob.token(connection_id=connection_id)

    assert west.webhooks.send(told_late) == 200
    assert VoiceState.objects.get(pk=connection_id).joined_at is None


def test_the_end_of_a_room_without_an_id_ends_nobody(west: FakeLiveKit, alice: Caller, beat: Beat):
    """Nor somebody whom only a listing showed, which tells no room's id either."""
    with west.webhooks.held():
        west.join(alice.token()["token"])
    beat.sweep()
    before = VoiceState.objects.values().get(joined_at__isnull=False)
    assert before["room_sid"] == ""

    west.webhooks.send(west.webhook("room_finished", room=Room(name=ROOM)))

    assert VoiceState.objects.values().get() == before
