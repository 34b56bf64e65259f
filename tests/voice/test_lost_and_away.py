"""What was seen long ago, what is lost, and what only went by another id: none of it misleads."""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from fluxer.directory.models import Channel
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.scene import BOB, VOICE, Caller
from voice import failover, participants
from voice.audit import Actor
from voice.models import AuditEntry, EndedConnection


def test_a_kick_by_an_old_id_bars_what_replaced_it(west: FakeLiveKit) -> None:
    phone = Caller(BOB, sid="phone")
    old = phone.token()["connection_id"]
    now_called = phone.token()
    west.join(now_called["token"]).leave()
    away = EndedConnection.objects.filter(pk=now_called["connection_id"])
    assert away.filter(may_return_until__isnull=False).exists()

    participants.disconnect_participant(
        channel_id=VOICE, user_id=BOB, connection_id=old, by=Actor("service")
    )

    assert away.filter(may_return_until=None).exists()
    assert AuditEntry.objects.get().action == "disconnect"


def test_the_ghost_of_a_lost_server_does_not_use_up_the_device_limit(
    west: FakeLiveKit, fake_livekit: Callable[..., FakeLiveKit], bob: Caller
) -> None:
    east = fake_livekit()
    scene.server(east, "us-east")
    Channel.objects.filter(pk=VOICE).update(voice_connection_limit=1)
    west.join(bob.token(region="us-west")["token"])
    assert bob.ask().json()["code"] == "VOICE_CONNECTION_LIMIT_REACHED"

    Server.objects.filter(api_key=west.key).update(down_since=timezone.now())

    assert bob.token()["endpoint"] == east.url


def test_health_that_was_seen_long_ago_ends_nobody(
    west: FakeLiveKit, fake_livekit: Callable[..., FakeLiveKit], bob: Caller
) -> None:
    scene.server(fake_livekit(), "us-east")
    west.join(bob.token(region="us-west")["token"])
    now = timezone.now()
    long_ago = now - timedelta(seconds=settings.VOICE_DOWN_GRACE + 60)
    server = Server.objects.get(api_key=west.key)
    Server.objects.update(probed_at=now)
    Server.objects.filter(pk=server.pk).update(down_since=long_ago)
    assert failover.lost(now=now) == [server.pk]

    Server.objects.filter(pk=server.pk).update(probed_at=long_ago)

    assert failover.lost(now=now) == []
