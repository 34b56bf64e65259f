"""The stage of the voice tests, for those who look at it from outside."""

import pytest

from tests.livekit.fake import FakeLiveKit
from tests.voice import scene


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
