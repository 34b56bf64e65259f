"""Clocks are set back: LiveKit's, which then does not tell which of two visits came later; and our
own, which then has dated things an hour ahead."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from fluxer.directory.models import Member
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import FakeParticipant
from tests.voice.devices import Device
from tests.voice.listing import during_the_listing
from tests.voice.scene import BOB, GUILD, VOICE, Caller
from voice import due, rights, waiting
from voice.models import RoomPin, VoiceState
from voice.settlement import settle_room
from voice.sweep import sweep

ROOM = f"guild_{GUILD}_channel_{VOICE}"
HOUR = 3_600_000  # ms


@contextmanager
def clock_back(fake: FakeLiveKit) -> Iterator[None]:
    """For the joins in here LiveKit's clock is behind by an hour."""
    fake.rooms.behind_ms = HOUR
    try:
        yield
    finally:
        fake.rooms.behind_ms = 0


def settle() -> None:
    server_id = Server.objects.get().pk
    due.mark((server_id, ROOM))
    settle_room(server_id=server_id, room=ROOM)


def known() -> str:
    return str(VoiceState.objects.get().participant_sid)


@pytest.fixture
def first(west: FakeLiveKit) -> FakeParticipant:
    """Bob, in."""
    return Device(BOB).enter(west)


@pytest.fixture
def again(west: FakeLiveKit, first: FakeParticipant) -> FakeParticipant:
    """Bob, in once more after a restart that nothing told of; LiveKit's clock is behind now."""
    west.restart()
    west.rooms.create(ROOM, empty=60, departure=60, metadata="")
    with clock_back(west):
        return west.join(west.token(ROOM, first.identity))


def test_who_is_listed_is_who_is_in(first: FakeParticipant, again: FakeParticipant):
    assert known() == first.sid, "a webhook alone may be late"

    settle()

    assert known() == again.sid
    assert again.inside


def test_a_mute_reaches_them(again: FakeParticipant):
    Member.objects.filter(user_id=BOB).update(mute=True)
    rights.recompute_channel(VOICE, rights.Q(user_id=BOB))

    settle()

    assert set(again.info.permission.can_publish_sources) == {1, 3}  # camera and screen


def test_a_late_webhook_of_the_earlier_visit_is_put_right(
    west: FakeLiveKit, first: FakeParticipant, again: FakeParticipant
):
    settle()
    west.webhooks.send(west.webhook("participant_joined", room=ROOM, participant=first))

    settle()

    assert known() == again.sid


def test_a_late_leave_of_the_earlier_visit_is_put_right(
    west: FakeLiveKit, first: FakeParticipant, again: FakeParticipant
):
    west.webhooks.send(west.webhook("participant_left", room=ROOM, participant=first))
    assert not VoiceState.objects.exists()

    settle()

    assert known() == again.sid
    assert again.inside


def test_a_seat_whose_first_visit_is_over_is_taken(west: FakeLiveKit):
    """Its leave was told, its join never was."""
    token = Device(BOB).token()["token"]
    with west.webhooks.held() as held:
        west.join(token).leave()
    west.webhooks.send(held[1])
    with clock_back(west):
        again = west.join(token)
    assert VoiceState.objects.get().joined_at is None

    settle()

    assert known() == again.sid


def test_a_listing_begun_before_a_later_visit_was_told_is_old_news(
    west: FakeLiveKit, first: FakeParticipant, monkeypatch: pytest.MonkeyPatch
):
    west.webhooks.off()
    second = west.join(west.token(ROOM, first.identity))
    west.webhooks.on = True
    later: list[FakeParticipant] = []
    during_the_listing(
        monkeypatch, lambda: later.append(west.join(west.token(ROOM, second.identity)))
    )

    settle()

    assert known() == later[0].sid


def test_what_our_own_clock_dated_ahead_holds_up_neither_settles_nor_sweeps(
    west: FakeLiveKit, first: FakeParticipant, later: Callable[[float], None]
):
    server_id = Server.objects.get().pk
    true = timezone.now()
    later(3600)
    sweep(server_id=server_id)
    for room in (ROOM, "dm_1", "dm_2"):
        due.mark((server_id, room))
    for room in ("dm_1", "dm_2"):  # and two are taken by workers who die of it
        assert due.claim(server_id=server_id, room=room, now=timezone.now())
    later((true - timezone.now()).total_seconds() + 30)
    west.webhooks.off()
    stranger = west.join(west.token(ROOM, "user_2_conn_x"))

    assert waiting.due(now=timezone.now()).count() == 3
    report = sweep(server_id=server_id)
    assert report is not None
    assert not report.is_skipped
    assert settle_room(server_id=server_id, room=ROOM)
    assert not stranger.inside


def test_a_room_that_was_due_or_taken_ahead_is_taken_now(
    west: FakeLiveKit, later: Callable[[float], None]
):
    server_id, true = Server.objects.get().pk, timezone.now()
    later(3600)
    due.mark((server_id, "dm_1"), (server_id, "dm_2"))
    assert due.claim(server_id=server_id, room="dm_2", now=timezone.now())
    later((true - timezone.now()).total_seconds())

    for room in ("dm_1", "dm_2"):
        assert due.claim(server_id=server_id, room=room, now=timezone.now()), room


def test_who_was_noted_as_missing_ahead_is_gone_in_time_and_webhooks_are_heard(
    west: FakeLiveKit, first: FakeParticipant, later: Callable[[float], None]
):
    first.vanish()
    ahead = timezone.now() + timedelta(hours=1)
    VoiceState.objects.update(missing_since=ahead)
    Server.objects.update(webhook_at=ahead)
    for _ in range(2):
        later(11)
        settle()
    assert not VoiceState.objects.exists()

    west.webhooks.send(west.webhook("room_started"))
    assert Server.objects.filter(webhook_at__lte=timezone.now()).exists()


def test_a_room_that_our_own_clock_saw_ahead_is_not_warm(west: FakeLiveKit, alice: Caller):
    alice.token()
    RoomPin.objects.update(made_at=timezone.now() + timedelta(hours=1))
    with west.calls_during() as calls:
        alice.token()
    assert [call.method for call in calls] == ["CreateRoom"]
    assert RoomPin.objects.get().made_at <= timezone.now()
