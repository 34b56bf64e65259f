"""Every action asks first, says how many it concerns, then tells what happened."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.test import Client
from django.utils import timezone

from fluxer.directory.models import Channel, Member
from fluxer.staff import actions
from regions import probes
from regions.models import Region, Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.frozen import hold
from tests.voice.races import Rival
from tests.voice.scene import ALICE, BOB, MOIRA, VOICE, Caller
from voice import pins
from voice.models import AuditEntry, DueRoom, EndedConnection, RoomPin, VoiceState

NOW = timezone.now()


def audited() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("actor", "action"))


def history() -> list[str]:
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


def is_draining() -> bool:
    return Server.objects.get().is_draining


def test_draining_asks_drains_and_is_remembered(olaf: Client, west: FakeLiveKit) -> None:
    server = Server.objects.get()
    asked = pages.text(pages.ask(olaf, Server, "drain", server))
    assert "This keeps new rooms off 1 server. Nobody is disconnected" in asked
    assert not is_draining()
    told = pages.do(olaf, Server, "drain", server)
    assert "us-west/us-west-1: takes no new rooms any more" in told
    assert is_draining()
    assert history() == ["Drain: takes no new rooms any more"]
    pages.do(olaf, Server, "restore", server)
    assert not is_draining()


@pytest.mark.parametrize(
    ("is_like", "words"),
    [
        ({}, "takes new rooms again"),
        ({"down_since": NOW}, "takes new rooms again once it answers"),
        ({"failing_since": NOW}, "takes new rooms again once it answers"),
        ({"is_active": False}, "is still inactive"),
    ],
)
def test_a_restored_server_promises_no_more_than_it_holds(
    olaf: Client, west: FakeLiveKit, is_like: dict[str, Any], words: str
) -> None:
    Server.objects.update(is_draining=True, **is_like)
    pages.do(olaf, Server, "restore", Server.objects.get())
    assert history() == [f"Restore: {words}"]
    assert not is_draining()


def test_a_probe_says_what_it_saw(olaf: Client, west: FakeLiveKit) -> None:
    server = Server.objects.get()
    assert "us-west/us-west-1: answers, after" in pages.do(olaf, Server, "probe_now", server)
    west.fault("break")
    told = pages.do(olaf, Server, "probe_now", server)
    assert "does not answer: LiveKit broke off" in told


def test_who_is_moved_off_keeps_a_seat_and_comes_back_elsewhere(
    west: FakeLiveKit, east: FakeLiveKit
) -> None:
    alice = Caller(ALICE)
    grant = alice.token()
    west.join(grant["token"])
    server = Server.objects.get(region="us-west")
    both = signed_in("both", "view", "regions.change_server", "voice.moderate")
    asked = pages.text(pages.ask(both, Server, "move_off", server))
    assert "This drains 1 server and disconnects 1 person in 1 room." in asked
    told = pages.do(both, Server, "move_off", server)
    assert "drained; 1 room with 1 connection moved off" in told
    server.refresh_from_db()
    assert server.is_draining
    assert not RoomPin.objects.exists()
    state = VoiceState.objects.get()
    assert (state.pk, state.server, state.joined_at) == (grant["connection_id"], None, None)
    assert DueRoom.objects.filter(server=server, room="guild_10_channel_100").exists()
    assert ("staff both", "move_off") in audited()
    again = alice.token(connection_id=grant["connection_id"])
    assert again["endpoint"] == east.url
    assert again["connection_id"] == grant["connection_id"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("busy", [VOICE, scene.OTHER_VOICE])
def test_a_room_that_is_locked_is_left_and_told_and_keeps_no_other_back(
    busy: int, west: FakeLiveKit
) -> None:
    root = signed_in("root", is_superuser=True)
    server, now = Server.objects.get(), timezone.now()
    for channel in (VOICE, scene.OTHER_VOICE):
        pins.pin(channel_id=channel, server_id=server.pk, made_at=now, now=now)
    with hold(busy):
        told = pages.do(root, Server, "move_off", server)
    assert "drained; 1 room with 0 connections moved off; 1 room left: do it again" in told
    assert list(RoomPin.objects.values_list("pk", flat=True)) == [busy]
    assert len(history()) == 1
    assert "1 room with 0 connections moved off" in pages.do(root, Server, "move_off", server)
    assert not RoomPin.objects.exists()


def test_moving_off_the_last_server_says_that_nobody_can_come_back(
    root: Client, west: FakeLiveKit
) -> None:
    asked = pages.text(pages.ask(root, Server, "move_off", Server.objects.get()))
    assert "no other server takes new rooms now" in asked


@pytest.mark.parametrize(
    ("suspicion", "takes"), [(timedelta(seconds=30), False), (timedelta(seconds=-1), True)]
)
def test_a_server_that_is_suspect_takes_nobody_who_is_moved_off(
    suspicion: timedelta, takes: bool, root: Client, west: FakeLiveKit, east: FakeLiveKit
) -> None:
    Server.objects.filter(region="us-east").update(suspect_until=timezone.now() + suspicion)
    asked = pages.text(pages.ask(root, Server, "move_off", Server.objects.get(region="us-west")))
    assert ("no other server takes new rooms now" in asked) == (not takes)


def test_only_an_empty_room_is_unpinned(mona: Client, west: FakeLiveKit) -> None:
    server, now = Server.objects.get(), timezone.now()
    for channel in (VOICE, scene.OTHER_VOICE):
        pins.pin(channel_id=channel, server_id=server.pk, made_at=now, now=now)
    scene.seat(ALICE, server=server, is_joined=True)
    full, empty = RoomPin.objects.order_by("pk")
    asked = pages.text(pages.ask(mona, RoomPin, "unpin", full, empty))
    assert "not empty (1 person): stays as it is" in asked
    told = pages.do(mona, RoomPin, "unpin", full, empty)
    assert "Somebody is in, or has a seat there" in told
    assert "unpinned" in told
    assert list(RoomPin.objects.values_list("pk", flat=True)) == [VOICE]
    assert audited() == [("staff mona", "unpin")]


def test_everyone_in_a_room_is_disconnected_for_good(mona: Client, west: FakeLiveKit) -> None:
    server, now = Server.objects.get(), timezone.now()
    pins.pin(channel_id=VOICE, server_id=server.pk, made_at=now, now=now)
    for user in (ALICE, BOB):
        scene.seat(user, server=server, is_joined=True)
    room = RoomPin.objects.get()
    asked = pages.text(pages.ask(mona, RoomPin, "disconnect_everyone", room))
    assert "This puts 2 people out of 1 room, at once." in asked
    assert "2 connections ended" in pages.do(mona, RoomPin, "disconnect_everyone", room)
    assert not VoiceState.objects.exists()
    assert DueRoom.objects.count() == 1
    assert audited() == [("staff mona", "disconnect_channel")]


def test_a_rooms_region_is_changed_and_everybody_told_to_come_there(
    west: FakeLiveKit, east: FakeLiveKit
) -> None:
    client = signed_in("rita", "view", "voice.moderate", "directory.change_channel")
    server, now = Server.objects.get(region="us-west"), timezone.now()
    pins.pin(channel_id=VOICE, server_id=server.pk, made_at=now, now=now)
    scene.seat(ALICE, server=server, is_joined=True)
    channel = Channel.objects.get(pk=VOICE)
    for region in ("us-east", ""):
        told = pages.do(client, Channel, "change_region", channel, region=region)
        assert f"its region is {region or 'automatic'} now" in told
    assert EndedConnection.objects.get().reason == "region_changed"
    assert audited() == [("staff rita", "change_region")] * 2


def test_a_region_that_is_closed_to_the_guild_is_refused_in_words(
    root: Client, west: FakeLiveKit, east: FakeLiveKit
) -> None:
    Region.objects.filter(pk="us-east").update(vip_only=True)
    channel = Channel.objects.get(pk=VOICE)
    told = pages.do(root, Channel, "change_region", channel, region="us-east")
    assert "Invalid or unavailable region" in told
    assert not AuditEntry.objects.exists()


def test_one_connection_is_ended_and_another_silenced(mona: Client, west: FakeLiveKit) -> None:
    server = Server.objects.get()
    out, loud = (scene.seat(user, server=server, is_joined=True) for user in (ALICE, MOIRA))
    asked = pages.text(pages.ask(mona, VoiceState, "disconnect", out))
    assert "This ends 1 connection of 1 person, at once." in asked
    assert "alice (1) is out" in pages.do(mona, VoiceState, "disconnect", out)
    assert "moira (4) is muted" in pages.do(mona, VoiceState, "server_mute", loud)
    assert list(VoiceState.objects.values_list("pk", "mute")) == [(loud.pk, True)]
    assert Member.objects.get(user=MOIRA).mute
    pages.do(mona, VoiceState, "server_unmute", loud)
    assert not Member.objects.get(user=MOIRA).mute
    assert audited() == [("staff mona", word) for word in ("disconnect", "mute", "unmute")]


def test_who_is_gone_meanwhile_is_said(mona: Client, west: FakeLiveKit) -> None:
    state = scene.seat(ALICE)
    VoiceState.objects.all().delete()
    assert "They are gone already." in pages.do(mona, VoiceState, "disconnect", state)


@pytest.mark.parametrize(("gone", "told"), [(0, ""), (1, "1 of those you chose is gone already.")])
def test_of_those_that_were_chosen_it_is_said_how_many_are_gone(
    gone: int, told: str, mona: Client, west: FakeLiveKit
) -> None:
    alice, bob = scene.seat(ALICE), scene.seat(BOB)
    if gone:
        VoiceState.objects.filter(pk=alice.pk).delete()
    page = pages.do(mona, VoiceState, "disconnect", alice, bob)
    assert "bob (2) is out" in page
    assert ("gone already" in page) == bool(gone)
    assert told in page


def test_a_mute_in_a_call_holds_for_the_call(mona: Client, west: FakeLiveKit) -> None:
    state = scene.seat(ALICE, scene.DM, server=Server.objects.get(), is_joined=True)
    pages.do(mona, VoiceState, "server_mute", state)
    state.refresh_from_db()
    assert state.override_mute
    assert not Member.objects.get(user=ALICE).mute


def test_the_default_region_is_made_by_one_click(
    olaf: Client, west: FakeLiveKit, east: FakeLiveKit
) -> None:
    pages.do(olaf, Region, "make_default", Region.objects.get(pk="us-east"))
    assert Region.objects.get(is_default=True).pk == "us-east"


def test_a_lapsed_seat_is_disconnected_like_any(mona: Client, west: FakeLiveKit) -> None:
    state = scene.seat(ALICE)
    VoiceState.objects.update(seat_until=timezone.now() - timedelta(seconds=1))
    assert "is out" in pages.do(mona, VoiceState, "disconnect", state)


def test_too_many_at_once_are_refused(root: Client, db: None) -> None:
    Region.objects.bulk_create([Region(pk=f"r-{n}", name="r") for n in range(201)])
    told = pages.do(root, Region, "make_default", *Region.objects.all())
    assert "That is more than 200: choose fewer." in told


def test_what_there_is_no_time_for_is_named_and_left(
    root: Client, west: FakeLiveKit, east: FakeLiveKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "PATIENCE", 0.0)
    told = pages.do(root, Server, "drain", *Server.objects.all())
    assert "us-east/us-east-1: takes no new rooms any more" in told
    assert "us-west/us-west-1: not done, there was no time left; do it again" in told
    assert list(Server.objects.filter(is_draining=True).values_list("region", flat=True)) == [
        "us-east"
    ]
    assert len(history()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_too_busy_to_begin_is_told(west: FakeLiveKit) -> None:
    root = signed_in("root", is_superuser=True)
    server = Server.objects.get()
    rival = Rival(lambda: pages.do(root, Server, "probe_now", server))
    with transaction.atomic():
        Server.objects.select_for_update().get()
        rival.let_in(moment=30)
    assert "Probe now: The service is busy or its database is away" in rival.finish()
    assert not history()


def test_servers_that_hang_are_probed_together(root: Client, west: FakeLiveKit) -> None:
    for number in range(8):
        scene.server(west, slug=f"again-{number}")
    began = time.monotonic()
    with west.fault("hang"):
        told = pages.do(root, Server, "probe_now", *Server.objects.all())
    assert time.monotonic() - began < 2 * probes.DEADLINE + 4
    assert told.count("does not answer") == 9
