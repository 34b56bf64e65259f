"""Fake LiveKit servers and real clients for tests; each is ended when its test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.livekit.fake import FakeLiveKit
from tests.livekit.rtc import RtcClient
from tests.livekit.signals import Signals


@pytest.fixture
def fake_livekit() -> Iterator[Callable[..., FakeLiveKit]]:
    """Makes fake servers, as many as a test asks for."""
    with ExitStack() as stack:

        def make(**settings: str) -> FakeLiveKit:
            fake = FakeLiveKit(**settings)
            stack.callback(fake.close)
            return fake

        yield make


@pytest.fixture
def livekit(fake_livekit: Callable[..., FakeLiveKit]) -> FakeLiveKit:
    """One fake server."""
    return fake_livekit()


@pytest.fixture
def rtc() -> Iterator[Callable[..., RtcClient]]:
    """Makes real clients, each a process: `rtc(url, token, name="alice")`."""
    with ExitStack() as stack:

        def make(url: str, token: str, *, name: str = "client") -> RtcClient:
            client = RtcClient(url, token, name=name)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Joins many clients that have no media: `signals.join(url, tokens)`."""
    signals = Signals()
    yield signals
    signals.close()
