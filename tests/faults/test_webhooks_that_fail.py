"""Webhooks dropped, doubled, late, out of order, or sent by the wrong server."""

import itertools

import pytest

from tests.faults.beat import Beat
from tests.livekit.fake import FakeLiveKit
from tests.voice.scene import ALICE, GUILD, VOICE, Caller
from voice.models import EndedConnection, RoomPin, VoiceState

ROOM = f"guild_{GUILD}_channel_{VOICE}"


def test_without_any_webhook_a_visit_is_seen_and_its_end_too(
    west: FakeLiveKit, alice: Caller, beat: Beat
):
    west.webhooks.off()
    person = west.join(alice.token()["token"])
    beat.interval()
    assert VoiceState.objects.get().participant_sid == person.sid

    person.vanish()
    beat.interval(3)
    assert not VoiceState.objects.exists()


def test_every_webhook_twice_is_every_webhook_once(
    west: FakeLiveKit, alice: Caller, bob: Caller, beat: Beat
):
    west.webhooks.double()
    west.join(alice.token()["token"]).leave()
    person = west.join(bob.token()["token"])

    assert VoiceState.objects.get().participant_sid == person.sid
    assert EndedConnection.objects.get().user_id == ALICE


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_in_whatever_order_a_leave_and_a_return_are_told_the_truth_is_the_last_visit(
    west: FakeLiveKit, alice: Caller, beat: Beat, order: tuple[int, ...]
):
    token = alice.token()["token"]
    with west.webhooks.held() as held:
        first = west.join(token)
        first.leave()
        second = west.join(token)
    told = [webhook for webhook in held if webhook.event.event.startswith("participant_")]
    told.append(told[-1])  # the last one comes twice
    for number in order:
        west.webhooks.send(told[number])
    beat.interval(2)

    assert second.inside
    assert VoiceState.objects.get().participant_sid == second.sid


def test_a_late_leave_ends_no_later_visit(west: FakeLiveKit, alice: Caller):
    token = alice.token()["token"]
    first = west.join(token)
    with west.webhooks.held() as held:
        first.leave()
    second = west.join(token)
    for webhook in held:
        west.webhooks.send(webhook)

    assert VoiceState.objects.get().participant_sid == second.sid


def test_another_server_has_no_say_over_a_visit(
    west: FakeLiveKit, east: FakeLiveKit, alice: Caller, beat: Beat
):
    person = west.join(alice.token()["token"])
    for event in ("participant_left", "room_finished", "participant_joined"):
        east.webhooks.send(east.webhook(event, room=ROOM, participant=person))
    beat.interval()

    assert person.inside
    assert VoiceState.objects.get().participant_sid == person.sid
    assert RoomPin.objects.get().server.region_id == "us-west"


def test_a_join_that_is_told_after_its_end_brings_nobody_back(
    west: FakeLiveKit, alice: Caller, beat: Beat
):
    with west.webhooks.held() as held:
        person = west.join(alice.token()["token"])
    west.webhooks.off()
    person.vanish()
    for webhook in held:
        west.webhooks.send(webhook)
    beat.interval(3)

    assert not VoiceState.objects.filter(joined_at__isnull=False).exists()
