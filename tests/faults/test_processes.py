"""Real processes on real PostgreSQL and Redis, fake media: what dies is finished by what lives.

Intervals are shortened; `make soak` has them at their full length.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from fluxer.directory.models import Channel
from fluxer.local.ports import free_port
from fluxer.local.redis import Redis
from regions.models import Server
from tests.faults.gate import Gate
from tests.faults.product import Product
from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_faults import API
from tests.livekit.fake_participant import FakeParticipant
from tests.storm.ground import Wire
from tests.voice import scene
from tests.voice.scene import BOB, GUILD, MOIRA, OTHER_VOICE, VOICE
from voice import due
from voice.models import DueRoom, EndedConnection, RoomPin, Sweep, VoiceState

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOM = f"guild_{GUILD}_channel_{VOICE}"
PACE = {
    "VOICE_SWEEP_INTERVAL": 1,
    "VOICE_GHOST_GRACE": 1,
    "VOICE_PROBE_INTERVAL": 2,
    "VOICE_RETURN_WINDOW": 2,
}


def soon(true: Callable[[], Any], *, seconds: float = 20) -> float:
    """After how many seconds it was true."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not so after {seconds:g} s")
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def product(stage: None, tmp_path: Path, stack: ExitStack) -> Product:
    """Not started yet; its Redis is the tests' own."""
    return Product(tmp_path, stack, **PACE)


def inhabit(fake: FakeLiveKit, channel_id: int, users: range) -> list[Any]:
    """These users in the channel's room, in the tables and in LiveKit, all settled."""
    server = Server.objects.get(api_url=fake.api_url)
    room = f"guild_{GUILD}_channel_{channel_id}"
    fake.rooms.create(room, empty=300, departure=300, metadata="")
    now, visits = timezone.now(), []
    RoomPin.objects.create(channel_id=channel_id, server=server, pinned_at=now, made_at=now)
    for user in users:
        state = scene.seat(user, channel_id, server=server)
        grant = {"canPublishSources": ["camera", "microphone", "screen_share"]}
        visit = fake.join(fake.token(room, f"user_{user}_{state.pk}", **grant))
        VoiceState.objects.filter(pk=state.pk).update(
            joined_at=timezone.now(), seat_until=None, participant_sid=visit.sid
        )
        visits.append(visit)
    return visits


def inside(people: Iterable[FakeParticipant]) -> int:
    return sum(person.inside for person in people)


def ask(
    product: Product, method: str, path: str, body: Any, *, user: int | None
) -> tuple[int, Any]:
    wire = Wire(product.port)
    try:
        return wire.call(method, path, body, user=user)
    finally:
        wire.close()


def kicked(product: Product) -> int:
    """Moira kicks Bob: the status."""
    path = f"/guilds/{GUILD}/members/{BOB}"
    return ask(product, "PATCH", path, {"channel_id": None}, user=MOIRA)[0]


def test_one_server_hangs_with_200_rooms_due_and_a_kick_elsewhere_takes_effect(
    product: Product, west: FakeLiveKit, east: FakeLiveKit
):
    west.webhooks.off()
    east.webhooks.off()
    # So long that whoever had to wait for a hanging call would wait far longer than a busy machine.
    product.environment["LIVEKIT_TIMEOUT"] = "30"
    (bob,) = inhabit(east, VOICE, range(BOB, BOB + 1))
    product.web()
    product.worker()
    product.beat()
    soon(lambda: Sweep.objects.filter(swept_at__isnull=False).count() == 2)
    hanging = Server.objects.get(region_id="us-west").pk
    west.fault("hang", method=API)
    due.mark(*((hanging, f"dm_{n}") for n in range(200)))
    soon(lambda: west.calls, seconds=10)

    assert kicked(product) == 200
    assert soon(lambda: not bob.inside) < 15
    assert DueRoom.objects.filter(server=hanging).count() == 200


def test_a_worker_killed_in_the_middle_of_a_region_change_of_50(
    product: Product, west: FakeLiveKit, stack: ExitStack
):
    scene.more_members(50)
    west.webhooks.off()
    people = inhabit(west, VOICE, range(1000, 1050))
    Channel.objects.filter(pk=VOICE).update(rtc_region=None)
    gate = Gate(west.api_url, removals=20)
    stack.callback(gate.close)
    Server.objects.update(api_url=gate.url)
    # Long enough for the kill; and so is the lease of the worker that dies.
    product.environment["LIVEKIT_TIMEOUT"] = "3"
    product.web()
    first = product.worker()
    product.beat()
    path = f"/channels/{VOICE}"
    assert ask(product, "PATCH", path, {"rtc_region": "us-west"}, user=scene.ALICE)[0] == 200
    soon(lambda: inside(people) <= 30)
    first.kill()
    Server.objects.update(api_url=west.api_url)
    gate.close()  # what waited before it is never asked for
    body = {"guild_id": str(GUILD)}
    status, grant = ask(product, "POST", f"{path}/voice/token", body, user=1000)
    assert status == 200
    newcomer = west.join(grant["token"])
    assert inside(people) == 30
    product.worker()

    soon(lambda: not inside(people), seconds=40)
    soon(lambda: not DueRoom.objects.exists())
    assert newcomer.inside
    assert EndedConnection.objects.filter(reason="region_changed").count() == 50


def test_a_worker_that_is_told_to_stop_waits_no_longer_than_it_may(
    product: Product, west: FakeLiveKit
):
    """Whoever would kill it may be gone."""
    west.webhooks.off()
    product.environment |= {"LIVEKIT_TIMEOUT": "120", "STOP_SECONDS": "2"}
    worker = product.worker()
    due.mark((Server.objects.get().pk, "dm_1"))
    west.fault("hang", method=API)
    product.beat()
    soon(lambda: west.calls)
    os.kill(worker.pid, signal.SIGTERM)

    assert soon(lambda: not worker.runs(), seconds=60) < 30


def test_web_killed_after_the_commit_leaves_the_rest_to_beat(product: Product, west: FakeLiveKit):
    """Whoever dies between the commit and what follows it has only not told anybody."""
    west.webhooks.off()
    (bob,) = inhabit(west, VOICE, range(BOB, BOB + 1))
    product.environment["CELERY_BROKER_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    web = product.web()  # with no broker: nothing that it says after a commit arrives
    assert kicked(product) == 200
    web.kill()
    del product.environment["CELERY_BROKER_URL"]
    product.worker()
    product.beat()

    soon(lambda: not bob.inside)


def test_without_redis_the_api_answers_and_nothing_is_lost(
    product: Product, west: FakeLiveKit, tmp_path: Path, stack: ExitStack
):
    port, password = free_port(), "only-of-this-test"

    def redis() -> Redis:
        server = Redis(
            data=tmp_path / "redis",
            port=port,
            password=password,
            log=tmp_path / "redis.log",
            pids=tmp_path / "pids",
            keep=False,
        )
        stack.callback(server.stop)
        return server

    running = redis()
    product.environment.update(REDIS_URL=running.url, RATELIMIT_STATE="30")
    product.environment.pop("CELERY_BROKER_URL", None)
    west.webhooks.off()
    alice, bob = inhabit(west, VOICE, range(1, BOB + 1))
    product.start()
    running.kill()  # with everything in it
    began, body = time.monotonic(), {"guild_id": str(GUILD)}
    assert kicked(product) == 200
    assert ask(product, "POST", f"/channels/{VOICE}/voice/token", body, user=MOIRA)[0] == 200
    assert ask(product, "GET", f"/guilds/{GUILD}/voice-states", None, user=MOIRA)[0] == 200
    assert time.monotonic() - began < 10
    assert bob.inside
    redis()

    soon(lambda: not bob.inside, seconds=60)
    assert alice.inside
    assert VoiceState.objects.filter(user_id=MOIRA).exists()


def test_a_worker_that_was_never_told_is_swept_up_after(product: Product, west: FakeLiveKit):
    """Everything by its clock alone: a vanished client, a stranger, a room that was lost."""
    west.webhooks.off()
    alice, bob = inhabit(west, VOICE, range(1, BOB + 1))
    inhabit(west, OTHER_VOICE, range(MOIRA, MOIRA + 1))
    stranger = west.join(west.token(ROOM, "user_3_conn_handmade"))
    bob.vanish()
    west.rooms.by_name.pop(f"guild_{GUILD}_channel_{OTHER_VOICE}")
    product.worker()
    product.beat()

    soon(lambda: not stranger.inside)
    soon(lambda: f"guild_{GUILD}_channel_{OTHER_VOICE}" in west.rooms.by_name)
    soon(lambda: not VoiceState.objects.filter(user_id__in=[BOB, MOIRA]).exists())
    assert alice.inside
