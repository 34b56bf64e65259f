"""The stage is set before each test that asks for it: a guild, its people, servers for them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from time_machine import TimeMachineFixture

from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.orders import BackEnd
from tests.voice.scene import Caller


@pytest.fixture
def stage(db: None) -> None:
    """The guild and its people."""
    scene.people()


@pytest.fixture
def west(stage: None, livekit: FakeLiveKit) -> FakeLiveKit:
    """One server, in us-west, whose webhooks reach us."""
    scene.server(livekit)
    scene.connect(livekit)
    return livekit


@pytest.fixture
def alice() -> Caller:
    return Caller(scene.ALICE)


@pytest.fixture
def bob() -> Caller:
    return Caller(scene.BOB)


@pytest.fixture
def charlie() -> Caller:
    return Caller(scene.CHARLIE)


@pytest.fixture
def moira() -> Caller:
    return Caller(scene.MOIRA)


@pytest.fixture
def back_end() -> BackEnd:
    return BackEnd()


@pytest.fixture
def later(time_machine: TimeMachineFixture) -> Callable[[float], None]:
    """Let seconds pass at once."""

    def pass_(seconds: float) -> None:
        time_machine.move_to(timezone.now() + timedelta(seconds=seconds), tick=True)

    return pass_


@pytest.fixture
def east(stage: None, fake_livekit: Callable[[], FakeLiveKit]) -> FakeLiveKit:
    """Another server, in us-east."""
    fake = fake_livekit()
    scene.server(fake, "us-east")
    scene.connect(fake)
    return fake
