"""A list costs the same with 10 rows and with 10,000; a search by id finds by id."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.auth.models import User as Staff
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fluxer.directory.models import Channel, Guild, Member, Role, User
from regions.models import Region, Server
from tests.admin import pages
from tests.regions.scene import MACHINE
from voice.models import AuditEntry, DueRoom, EndedConnection, RoomPin, Sample, VoiceState


def make(rows: Iterable[Model]) -> None:
    """A statement has 65,535 parameters at most."""
    found = list(rows)
    type(found[0])._default_manager.bulk_create(found, batch_size=2000)


def fill(first: int, last: int) -> None:
    """Rows of everything, numbered from `first` to before `last`, each hanging on the others."""
    numbers, now = range(first, last), timezone.now()
    soon = now + timedelta(minutes=1)
    make(User(pk=n, username=f"user{n}") for n in numbers)
    make(Guild(pk=n, name=f"guild{n}", owner_id=n) for n in numbers)
    make(Role(pk=n, guild_id=n, name="@everyone") for n in numbers)
    make(Member(guild_id=n, user_id=n) for n in numbers)
    make(Channel(pk=n, type=2, guild_id=n) for n in numbers)
    make(Region(pk=f"r-{n}", name=f"Region {n}") for n in numbers)
    make(Server(pk=n, region_id=f"r-{n}", slug="a", **MACHINE) for n in numbers)
    make(RoomPin(channel_id=n, server_id=n, pinned_at=now, made_at=now) for n in numbers)
    make(
        VoiceState(
            connection_id=f"conn_{n}",
            session=str(n),
            user_id=n,
            channel_id=n,
            server_id=n,
            seat_until=soon,
            created_at=now,
        )
        for n in numbers
    )
    make(DueRoom(server_id=n, room=f"dm_{n}", due_at=now) for n in numbers)
    make(
        EndedConnection(
            connection_id=f"old_{n}",
            session=str(n),
            user_id=n,
            channel_id=n,
            reason="left",
            ended_at=now,
        )
        for n in numbers
    )
    make(AuditEntry(actor="service", action="mute") for _ in numbers)
    make(Staff(pk=1000 + n, username=f"staff{n}") for n in numbers)
    make(Group(name=f"group{n}") for n in numbers)
    kind = ContentType.objects.get_for_model(Server)
    make(
        LogEntry(user_id=1000 + n, content_type=kind, object_id=str(n), action_flag=2)
        for n in numbers
    )
    minutes = (now - timedelta(minutes=n) for n in numbers)
    make(Sample(minute=minute, taken_at=minute) for minute in minutes)


def queries(client: Client) -> dict[str, int]:
    """How many statements each list, and the dashboard, takes."""
    found = {}
    for path in ("/admin/", *(pages.address(model) for model in admin.site._registry)):
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        found[path] = len(seen)
    return found


@pytest.mark.slow
def test_no_list_grows_with_its_rows(root: Client) -> None:
    fill(1, 11)
    queries(root)  # content types and the like are read once
    few = queries(root)
    fill(11, 10_001)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert queries(root) == few
    assert max(few.values()) <= 20


def test_lists_are_ordered_by_what_is_counted(root: Client) -> None:
    fill(1, 3)
    VoiceState.objects.filter(pk="conn_1").delete()
    page = pages.text(root.get("/admin/regions/server/?o=-4"))
    assert page.index("r-2/a") < page.index("r-1/a")


def test_a_number_is_an_id(root: Client) -> None:
    fill(1, 4)
    for path, expected in (
        ("directory/user", "user2"),
        ("directory/guild", "guild2"),
        ("directory/channel", "guild2"),
        ("voice/voicestate", "conn_2"),
        ("voice/roompin", "guild2"),
    ):
        page = pages.text(root.get(f"/admin/{path}/?q=2"))
        assert expected in page, path
        assert "guild3" not in page, path
        assert "conn_3" not in page, path
    assert "0 voice states" in pages.text(
        root.get("/admin/voice/voicestate/?q=99999999999999999999")
    )


def test_a_server_that_is_suspect_is_not_counted_among_those_that_take_rooms(root: Client) -> None:
    fill(1, 3)
    now = timezone.now()
    Server.objects.filter(pk=1).update(suspect_until=now + timedelta(seconds=30))
    Server.objects.filter(pk=2).update(suspect_until=now)
    rows = root.get(pages.address(Region)).context["cl"].result_list
    assert {row.pk: row.usable_number for row in rows} == {"r-1": 0, "r-2": 1}


def test_servers_are_found_by_their_health(root: Client) -> None:
    fill(1, 3)
    Server.objects.filter(region="r-1").update(down_since=timezone.now())
    page = pages.text(root.get("/admin/regions/server/?health=down"))
    assert "r-1/a" in page
    assert "r-2/a" not in page
