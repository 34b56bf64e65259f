"""Who takes a due room waits neither for who marks it, nor for who writes its server."""

import pytest
from django.utils import timezone

from regions import health
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.frozen import hold_row
from voice import due
from voice.models import DueRoom

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(west: FakeLiveKit) -> Server:
    server = Server.objects.get()
    due.mark((server.pk, "dm_1"), (server.pk, "dm_2"))
    return server


def claim(server: Server, room: str) -> DueRoom | None:
    """LockNotAvailable, after two seconds, if it has to wait."""
    return due.claim(server_id=server.pk, room=room, now=timezone.now())


def test_a_room_that_somebody_marks_is_left_to_them_and_holds_up_no_other(server: Server) -> None:
    marked = DueRoom.objects.get(room="dm_1")
    with hold_row(marked):
        assert claim(server, "dm_1") is None
        assert claim(server, "dm_2") is not None
    assert claim(server, "dm_1") is not None


def test_who_writes_the_server_holds_up_none_of_its_rooms_and_no_webhook(server: Server) -> None:
    with hold_row(server):
        assert claim(server, "dm_1") is not None
        health.webhook_seen(server.pk, now=timezone.now())
    assert Server.objects.get().webhook_at is None
