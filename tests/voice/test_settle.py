"""Making LiveKit agree about one room, whatever it shows, and however it fails."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Value
from django.utils import timezone
from livekit.protocol.models import ParticipantPermission, TrackSource

from fluxer.directory.models import Member
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import FakeParticipant
from tests.voice.devices import Device, connection_of
from tests.voice.frozen import hold
from tests.voice.listing import during_the_listing
from tests.voice.races import Rival, at_once
from tests.voice.scene import ALICE, BOB, GUILD, OTHER_VOICE, VOICE, written
from voice import due, rights, settlement
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState
from voice.rooms import parse_identity, parse_room_name
from voice.settlement import settle_room
from voice.states.visit import Visit
from voice.states.visits import confirm

ROOM, OTHER_ROOM = f"guild_{GUILD}_channel_{VOICE}", f"guild_{GUILD}_channel_{OTHER_VOICE}"


@pytest.fixture
def server(west: FakeLiveKit) -> Server:
    return Server.objects.get()


@pytest.fixture
def inside(west: FakeLiveKit) -> FakeParticipant:
    """Bob, in, and nobody hears of anything more."""
    visit = Device(BOB).enter(west)
    west.webhooks.off()
    return visit


def settle(server: Server, room: str = ROOM) -> bool:
    """Settle it as if something had just marked it."""
    due.mark((server.pk, room))
    return settle_room(server_id=server.pk, room=room)


def mutes(user_id: int, value: bool = True) -> None:
    Member.objects.filter(user_id=user_id).update(mute=value)
    rights.recompute_channel(VOICE, rights.Q(user_id=user_id))


def test_a_room_that_agrees_costs_one_call_and_is_done(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    with west.calls_during() as calls:
        assert settle(server)

    assert [call.method for call in calls] == ["ListParticipants"]
    assert not DueRoom.objects.exists()


def test_a_room_that_is_not_due_is_left_alone(west: FakeLiveKit, server: Server):
    with west.calls_during() as calls:
        assert not settle_room(server_id=server.pk, room=ROOM)
        due.mark((server.pk, ROOM))
        due.put_off(server_id=server.pk, until=timezone.now() + timedelta(seconds=30))
        assert not settle_room(server_id=server.pk, room=ROOM)

    assert calls == []


def test_strangers_are_removed_and_looked_for_once_more(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, later: Callable[[float], None]
):
    strangers = [west.join(west.token(ROOM, name)) for name in ("egress", "user_3_conn_x")]

    settle(server)

    assert [visit.inside for visit in (inside, *strangers)] == [True, False, False]
    again = DueRoom.objects.get()
    assert 0 < (again.due_at - timezone.now()).total_seconds() <= 1
    later(1.1)
    settle_room(server_id=server.pk, room=ROOM)
    assert not DueRoom.objects.exists()


def test_a_permission_is_set_right_whole(server: Server, inside: FakeParticipant):
    mutes(BOB)

    settle(server)

    permission = inside.info.permission
    assert set(permission.can_publish_sources) == {TrackSource.CAMERA, TrackSource.SCREEN_SHARE}
    assert (permission.can_subscribe, permission.can_publish_data) == (True, True)


ALL = [TrackSource.SCREEN_SHARE_AUDIO, TrackSource.SCREEN_SHARE, TrackSource.CAMERA,
       TrackSource.MICROPHONE]  # fmt: skip


@pytest.mark.parametrize(
    ("permission", "agrees"),
    [
        ({"can_publish": True, "can_publish_sources": ALL}, True),
        ({"can_publish": True, "can_publish_sources": ALL * 2}, True),
        ({"can_publish": True}, True),  # none listed means all
        ({"can_publish": True, "can_publish_sources": ALL[1:]}, False),
        ({"can_publish": False, "can_publish_sources": ALL}, False),
        ({"can_publish": True, "can_publish_data": False}, False),
        ({"can_publish": True, "can_subscribe": False}, False),
        ({"can_publish": True, "can_update_metadata": True}, False),
    ],
)
def test_permissions_are_compared_by_what_they_allow(
    west: FakeLiveKit,
    server: Server,
    inside: FakeParticipant,
    permission: dict[str, Any],
    agrees: bool,
):
    base = {"can_subscribe": True, "can_publish_data": True}
    west.rooms.permit(ROOM, inside.identity, ParticipantPermission(**base | permission))

    with west.calls_during() as calls:
        settle(server)

    assert ("UpdateParticipant" in [call.method for call in calls]) is not agrees


def test_sources_do_not_matter_to_who_may_publish_nothing(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    VoiceState.objects.update(can_speak=False, can_stream=False, can_video=False, mute=True)
    nothing = ParticipantPermission(
        can_subscribe=True, can_publish_data=True, can_publish=False, can_publish_sources=ALL
    )
    west.rooms.permit(ROOM, inside.identity, nothing)

    with west.calls_during() as calls:
        settle(server)

    assert [call.method for call in calls] == ["ListParticipants"]


# Failures


FAULTS: list[dict[str, Any]] = [
    {"kind": "error"}, {"kind": "plain_500"}, {"kind": "garbage"}, {"kind": "page"},
    {"kind": "break"}, {"kind": "hang"}, {"kind": "error", "code": "not_found"},
    {"kind": "redirect"},
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: "-".join(f.values()))
def test_no_answer_changes_nothing_and_it_stays_due(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, fault: dict[str, Any], settings: Any
):
    settings.LIVEKIT_TIMEOUT = 0.3
    stranger = west.join(west.token(ROOM, "egress"))
    before = written()
    with west.fault(method="ListParticipants", **fault):
        settle(server)

    after = written()
    assert {**after, "DueRoom": []} == {**before, "DueRoom": []}
    assert inside.inside
    assert stranger.inside
    assert DueRoom.objects.get().attempts == 1


def test_each_failure_waits_longer_but_no_longer_than_a_sweep(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, later: Callable[[float], None]
):
    due.mark((server.pk, ROOM))
    waits = []
    with west.fault("error", method="ListParticipants"):
        for _ in range(7):
            settle_room(server_id=server.pk, room=ROOM)
            wait = (DueRoom.objects.get().due_at - timezone.now()).total_seconds()
            waits.append(round(wait))
            later(wait + 0.1)

    assert waits == [1, 2, 4, 8, 10, 10, 10]
    settle_room(server_id=server.pk, room=ROOM)
    assert not DueRoom.objects.exists()


def test_one_removal_that_fails_holds_up_nobody_else(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, later: Callable[[float], None]
):
    strangers = [west.join(west.token(ROOM, f"stranger{n}")) for n in range(5)]
    with west.fault("error", method="RemoveParticipant", identity="stranger2"):
        settle(server)

    assert [visit.inside for visit in strangers] == [False, False, True, False, False]
    assert DueRoom.objects.get().attempts == 1
    later(1.1)
    settle_room(server_id=server.pk, room=ROOM)
    assert not strangers[2].inside


def test_somebody_who_is_gone_already_is_done(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    west.join(west.token(ROOM, "egress"))
    with west.fault("error", method="RemoveParticipant", code="not_found"):
        settle(server)

    assert DueRoom.objects.get().attempts == 0


def test_a_hanging_server_puts_off_its_own_rooms_only(
    west: FakeLiveKit, east: FakeLiveKit, settings: Any
):
    settings.LIVEKIT_TIMEOUT = 0.3
    one, two = Server.objects.get(region="us-west"), Server.objects.get(region="us-east")
    due.mark((one.pk, OTHER_ROOM), (two.pk, ROOM))
    with west.fault("hang"):
        settle(one)

    waits = {
        (room.server_id, room.room): (room.due_at - timezone.now()).total_seconds()
        for room in DueRoom.objects.all()
    }
    assert waits[one.pk, ROOM] == pytest.approx(settings.VOICE_PROBE_INTERVAL, abs=1)
    assert waits[one.pk, OTHER_ROOM] == pytest.approx(settings.VOICE_PROBE_INTERVAL, abs=1)
    assert waits[two.pk, ROOM] <= 0
    assert settle_room(server_id=two.pk, room=ROOM)


def test_a_removal_that_hangs_puts_off_too(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, settings: Any
):
    settings.LIVEKIT_TIMEOUT = 0.3
    west.join(west.token(ROOM, "a"))
    west.join(west.token(ROOM, "b"))
    with (
        west.fault("error", method="RemoveParticipant", identity="a"),
        west.fault("hang", method="RemoveParticipant", identity="b"),
    ):
        settle(server)

    wait = (DueRoom.objects.get().due_at - timezone.now()).total_seconds()
    assert wait == pytest.approx(settings.VOICE_PROBE_INTERVAL, abs=1)


def test_a_server_that_does_some_of_it_is_not_taken_for_one_that_hangs(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, settings: Any
):
    settings.LIVEKIT_TIMEOUT = 0.4
    people = [west.join(west.token(ROOM, f"user_3_conn_stranger{n}")) for n in range(3)]
    due.mark((server.pk, ROOM), (server.pk, "dm_3"))
    with west.fault("hang", method="RemoveParticipant", times=1):
        settle_room(server_id=server.pk, room=ROOM)

    assert sum(person.inside for person in people) == 1
    assert DueRoom.objects.get(room=ROOM).attempts == 1
    assert DueRoom.objects.get(room="dm_3").due_at <= timezone.now()


@pytest.mark.django_db(transaction=True)
def test_a_room_that_is_locked_for_too_long_stays_due(west: FakeLiveKit, server: Server):
    inside = Device(BOB).enter(west)
    stranger = west.join(west.token(ROOM, "user_3_conn_x"))
    with hold(VOICE):
        settle(server)

    assert [inside.inside, stranger.inside] == [True, True]
    again = DueRoom.objects.get()
    assert (again.attempts, again.leased_until) == (1, None)
    assert (again.due_at - timezone.now()).total_seconds() <= 1


# A mark that comes in the middle


def test_what_is_marked_meanwhile_is_settled_before_the_worker_goes(
    west: FakeLiveKit,
    server: Server,
    inside: FakeParticipant,
    monkeypatch: pytest.MonkeyPatch,
):
    stranger = []

    def intrude() -> None:
        stranger.append(west.join(west.token(ROOM, "egress")))
        due.mark((server.pk, ROOM))

    during_the_listing(monkeypatch, intrude)
    settle(server)

    assert not stranger[0].inside


def test_another_worker_does_not_take_a_room_that_is_being_settled(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, monkeypatch: pytest.MonkeyPatch
):
    taken = []

    def rival() -> None:
        due.mark((server.pk, ROOM))
        taken.append(settle_room(server_id=server.pk, room=ROOM))

    during_the_listing(monkeypatch, rival)
    settle(server)

    assert taken == [False]
    assert not DueRoom.objects.exists()


def test_a_worker_that_died_is_followed_by_another(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, later: Callable[[float], None]
):
    due.mark((server.pk, ROOM))
    assert due.claim(server_id=server.pk, room=ROOM, now=timezone.now())
    assert not settle_room(server_id=server.pk, room=ROOM)

    later(due.lease().total_seconds() + 1)

    assert settle_room(server_id=server.pk, room=ROOM)
    assert not DueRoom.objects.exists()


def test_a_settle_is_over_before_its_lease(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, settings: Any
):
    """Fifty are told to go at once, and each call hangs: those behind them are not waited for."""
    settings.LIVEKIT_TIMEOUT = 0.4
    people = [west.join(west.token(ROOM, f"user_3_conn_stranger{n}")) for n in range(120)]
    due.mark((server.pk, ROOM))
    with west.fault("hang", method="RemoveParticipant"), west.calls_during() as calls:
        settle_room(server_id=server.pk, room=ROOM)

    assert DueRoom.objects.get().attempts == 1
    assert [call.method for call in calls].count("RemoveParticipant") < len(people)
    assert all(person.inside for person in people)


@pytest.mark.django_db(transaction=True)
def test_rooms_that_somebody_is_writing_hold_up_nobody(server: Server):
    """A deletion that marks room after room never waits for who puts them all off, or wakes them:
    each would hold what the other wants next."""
    until = timezone.now() + timedelta(seconds=60)
    due.mark(*((server.pk, f"dm_{n}") for n in range(3)))
    for verb in (partial(due.put_off, until=until), due.wake):
        with transaction.atomic():
            due.mark((server.pk, "dm_1"))
            at_once([partial(verb, server_id=server.pk)])
            due.mark((server.pk, "dm_0"), (server.pk, "dm_2"))

    assert not DueRoom.objects.filter(due_at__gt=timezone.now()).exists()


@pytest.mark.django_db(transaction=True)
def test_a_sweep_and_who_marks_room_after_room_do_not_wait_for_each_other(server: Server):
    """A batch marks in its own order; a sweep finds the same rooms in the middle of it."""
    rooms = [(server.pk, f"dm_{n}") for n in range(3)]
    for known in (False, True):  # rows that are new, and rows that are there
        with transaction.atomic():
            due.mark(rooms[1])
            sweep = Rival(partial(due.found, *rooms))
            sweep.let_in()
            due.mark(rooms[0])
            due.mark(rooms[2])
        sweep.finish()
        assert DueRoom.objects.count() == len(rooms), known


def test_the_pass_that_confirms_outlives_whoever_saw_less(server: Server):
    """A slow worker sent something after a quick one had found all well and dropped the row."""
    due.mark((server.pk, ROOM))
    now = timezone.now()
    slow = due.claim(server_id=server.pk, room=ROOM, now=now)
    after = now + due.lease() + timedelta(seconds=1)
    quick = due.claim(server_id=server.pk, room=ROOM, now=after)
    assert slow is not None
    assert quick is not None

    due.again(slow, at=after + timedelta(seconds=1))
    assert not due.done(quick), "it is not theirs to drop any more"
    DueRoom.objects.all().delete()
    due.again(slow, at=after + timedelta(seconds=1))

    assert DueRoom.objects.get().due_at == after + timedelta(seconds=1)


def test_two_settles_that_cross_a_mute_end_right(
    west: FakeLiveKit,
    server: Server,
    inside: FakeParticipant,
    monkeypatch: pytest.MonkeyPatch,
    later: Callable[[float], None],
):
    """The first has decided to unmute when the mute comes; the second finds nothing to do."""
    mutes(BOB)
    settle(server)
    later(2)
    mutes(BOB, False)
    together, crossed = settlement.together, [False]

    def cross(calls: list[Any], **kwargs: Any) -> list[Any]:
        if calls and not crossed[0]:
            crossed[0] = True
            mutes(BOB)
            DueRoom.objects.update(leased_until=None, due_at=timezone.now())  # its lease ran out
            settle_room(server_id=server.pk, room=ROOM)
        return together(calls, **kwargs)

    monkeypatch.setattr(settlement, "together", cross)
    settle(server)
    assert TrackSource.MICROPHONE in inside.info.permission.can_publish_sources
    later(1.1)
    settle_room(server_id=server.pk, room=ROOM)

    assert TrackSource.MICROPHONE not in inside.info.permission.can_publish_sources


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_guarded", [True, False])
def test_at_most_two_rooms_of_a_server_at_once(
    server: Server, is_guarded: bool, monkeypatch: pytest.MonkeyPatch
):
    """Three claim at once; one is going on. Without the lock both others count only that one."""
    rooms = [f"guild_{GUILD}_channel_{n}" for n in range(1000, 1003)]
    due.mark(*((server.pk, room) for room in rooms))
    if not is_guarded:
        monkeypatch.setattr(due, "_turn", lambda: Value(""))

    def claim(room: str) -> bool:
        return due.claim(server_id=server.pk, room=room, now=timezone.now()) is not None

    rival = Rival(lambda: claim(rooms[2]))
    assert claim(rooms[0])
    with transaction.atomic():
        assert claim(rooms[1])
        rival.let_in()

    assert rival.finish() is not is_guarded


@pytest.mark.django_db(transaction=True)
def test_a_hanging_server_takes_two_workers_and_no_more(
    west: FakeLiveKit, server: Server, settings: Any
):
    settings.LIVEKIT_TIMEOUT = 0.5
    rooms = [f"guild_{GUILD}_channel_{n}" for n in range(1000, 1006)]
    due.mark(*((server.pk, room) for room in rooms))

    def settle_one(room: str) -> Callable[[], Any]:
        def run() -> float:
            began = time.monotonic()
            settle_room(server_id=server.pk, room=room)
            return time.monotonic() - began

        return run

    with west.fault("hang"):
        spent = at_once([settle_one(room) for room in rooms])

    assert sum(seconds > 0.45 for seconds in spent) <= due.AT_ONCE


# Ghosts


def test_one_empty_list_removes_nobody(west: FakeLiveKit, server: Server, inside: FakeParticipant):
    with west.fault("empty", method="ListParticipants"):
        settle(server)

    state = VoiceState.objects.get()
    assert state.missing_since is not None
    assert inside.inside


def test_two_lists_a_grace_apart_end_a_ghost(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, later: Callable[[float], None]
):
    inside.vanish()
    settle(server)
    assert VoiceState.objects.exists()
    settle(server)
    assert VoiceState.objects.exists(), "too soon after the first"
    due_at = DueRoom.objects.get().due_at
    assert (due_at - timezone.now()).total_seconds() == pytest.approx(10, abs=1)

    later(10.1)
    settle_room(server_id=server.pk, room=ROOM)

    ended = EndedConnection.objects.get()
    assert (ended.reason, ended.may_return_until is None) == ("lost", False)
    assert RoomPin.objects.get().expires_at is not None


def test_a_ghost_may_return(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, later: Callable[[float], None]
):
    inside.vanish()
    settle(server)
    later(10.1)
    settle(server)
    back = west.join(west.token(ROOM, inside.identity))

    settle(server)

    assert VoiceState.objects.get().participant_sid == back.sid
    assert back.inside


def test_who_is_shown_again_is_no_ghost(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, later: Callable[[float], None]
):
    with west.fault("empty", method="ListParticipants", times=1):
        settle(server)
        later(10.1)
        settle(server)
    assert VoiceState.objects.get().missing_since is None

    with west.fault("empty", method="ListParticipants", times=1):
        settle(server)
    assert VoiceState.objects.exists()


def test_a_late_webhook_does_not_make_somebody_seen(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    west.webhooks.on = True
    joined = west.webhook("participant_joined", room=ROOM, participant=inside)
    with west.fault("empty", method="ListParticipants"):
        settle(server)

    west.webhooks.send(joined)

    assert VoiceState.objects.get().missing_since is not None


def test_nor_does_an_older_listing(server: Server, inside: FakeParticipant):
    since = timezone.now()
    VoiceState.objects.update(missing_since=since)
    identity = parse_identity(inside.identity)
    name = parse_room_name(ROOM)
    assert identity is not None
    assert name is not None
    visit = Visit(server.pk, name, identity, inside.sid, inside.info.joined_at_ms)

    confirm(visit, listed_at=since - timedelta(seconds=1))
    assert VoiceState.objects.get().missing_since == since
    confirm(visit, listed_at=since + timedelta(seconds=1))
    assert VoiceState.objects.get().missing_since is None


def test_somebody_joining_counts_as_shown(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    west.join(west.token(ROOM, inside.identity), active=False)

    settle(server)

    assert VoiceState.objects.get().missing_since is None


def test_a_visit_that_began_during_the_listing_is_not_missing(
    west: FakeLiveKit, server: Server, inside: FakeParticipant, monkeypatch: pytest.MonkeyPatch
):
    """The client was between two visits when LiveKit answered."""
    west.webhooks.on = True
    inside.vanish()
    token = west.token(ROOM, inside.identity)
    during_the_listing(monkeypatch, lambda: west.join(token))

    settle(server)

    assert VoiceState.objects.get().missing_since is None


def test_seats_are_not_missing(west: FakeLiveKit, server: Server):
    Device(BOB).token()

    settle(server)

    assert VoiceState.objects.get().missing_since is None
    assert not DueRoom.objects.exists()


# Rooms that are not as they should be


def test_a_room_that_vanished_is_made_again(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    west.restart()

    settle(server)

    assert [room.name for room in west.rooms.listing([])] == [ROOM]
    assert VoiceState.objects.exists()
    assert west.join(west.token(ROOM, inside.identity)).inside


def test_a_room_that_is_pinned_elsewhere_is_not_made(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    RoomPin.objects.all().delete()
    west.restart()

    settle(server)

    assert west.rooms.listing([]) == []


def test_a_name_that_is_not_ours_is_never_touched(west: FakeLiveKit, server: Server):
    for name in ("lobby", "guild_1_channel_x", "guild_010_channel_1"):
        west.rooms.create(name, empty=60, departure=60, metadata="")
        visit = west.join(west.token(name, "egress"))
        with west.calls_during() as calls:
            settle(server, name)
        assert calls == []
        assert visit.inside
    assert not DueRoom.objects.exists()


def test_a_room_whose_channel_is_gone_is_emptied(west: FakeLiveKit, server: Server):
    name = f"guild_{GUILD}_channel_777"
    west.rooms.create(name, empty=60, departure=60, metadata="")
    visits = [west.join(west.token(name, f"user_{n}_conn_x{n}")) for n in range(3)]

    settle(server, name)

    assert not any(visit.inside for visit in visits)


def test_a_hidden_bearer_of_an_identity_ends_it_for_good(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    hidden = west.join(west.token(ROOM, inside.identity, hidden=True))

    settle(server)

    assert not hidden.inside
    assert EndedConnection.objects.get().may_return_until is None


def test_an_old_token_after_a_kick_is_out_again(west: FakeLiveKit, server: Server):
    bob = Device(BOB)
    grant = bob.token()
    first = west.join(grant["token"])
    answer = Device(ALICE).patch(f"/guilds/{GUILD}/members/{BOB}", {"channel_id": None})
    assert answer.status_code == 200
    settle_room(server_id=server.pk, room=ROOM)
    assert first.reason == "PARTICIPANT_REMOVED"

    again = west.join(grant["token"])
    assert DueRoom.objects.get().due_at <= timezone.now(), "by the webhook, at once"
    settle_room(server_id=server.pk, room=ROOM)

    assert not again.inside
    assert not VoiceState.objects.exists()


def test_who_renewed_while_in_is_never_put_out(
    west: FakeLiveKit, server: Server, later: Callable[[float], None]
):
    bob = Device(BOB)
    visit = bob.enter(west)
    for _ in range(5):
        bob.token(connection_id=connection_of(visit))
        later(70)
        settle(server)
        assert visit.inside
    later(200)
    settle(server)
    assert visit.inside
    assert VoiceState.objects.get().seat_until is None


def test_a_failure_to_make_the_room_stays_due(
    west: FakeLiveKit, server: Server, inside: FakeParticipant
):
    west.restart()
    with west.fault("error", method="CreateRoom"):
        settle(server)

    assert DueRoom.objects.get().attempts == 1
