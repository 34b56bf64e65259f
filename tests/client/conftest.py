"""A browser with a microphone that hums and a camera that shows a test picture."""

import math
import struct
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests import browser as browsers
from tests.client.house import House
from tests.client.window import Window

EARS = Path(__file__).with_name("ears.js")
MEDIA = (
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=15",
    "--auto-accept-this-tab-capture",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns,LocalNetworkAccessChecks",
)

# As long as the windows wait themselves: two browsers and two media servers share the machine.
expect.set_options(timeout=10_000)

Open = Callable[..., Window]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these take seconds."""
    for item in items:
        if "tests/client/" in item.nodeid:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    hum = tmp_path_factory.mktemp("hum") / "hum.wav"
    write_tone(hum)
    try:
        executable = browsers.path()
    except browsers.NoBrowser as problem:
        pytest.fail(str(problem), pytrace=False)
    args = [*browsers.FLAGS, *MEDIA, f"--use-file-for-fake-audio-capture={hum}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=args)
        yield browser
        browser.close()


def write_tone(path: Path, *, seconds: int = 2, hertz: int = 440, rate: int = 48000) -> None:
    """A tone without gaps: whole waves, so that it can be played again and again."""
    samples = (int(12000 * math.sin(2 * math.pi * hertz * i / rate)) for i in range(seconds * rate))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


@pytest.fixture(scope="session")
def house(
    tmp_path_factory: pytest.TempPathFactory, livekit_servers: Callable[..., Any]
) -> Iterator[House]:
    with ExitStack() as stack:
        house = House(tmp_path_factory.mktemp("house"), stack)
        house.open(livekit_servers)
        yield house


@pytest.fixture
def window(chromium: Browser, house: House) -> Iterator[Open]:
    """Opens a window for somebody. At the end all are well and closed, and nobody stays in."""
    windows: list[Window] = []

    def open_(name: str = "", **options: Any) -> Window:
        options.setdefault("viewport", {"width": 1100, "height": 720})
        context = chromium.new_context(**options)
        context.grant_permissions(["camera", "microphone"], origin=house.url)
        context.add_init_script(path=EARS)
        window = Window(context.new_page(), house.url)
        windows.append(window)
        return window.sign_in(name) if name else window

    yield open_
    for one in windows:
        one.close()
    house.empty()
    for one in windows:
        one.assert_well()


@pytest.fixture
def talk(window: Open) -> tuple[Window, Window]:
    """Alice and Bob in the Lounge; each hears the other."""
    alice, bob = window("Alice"), window("Bob")
    for one in (alice, bob):
        one.choose("Lounge")
        one.press("Unmute")
    for one, other in ((alice, bob), (bob, alice)):
        one.is_in("Lounge")
        one.hears(other)
    for one in (alice, bob):
        one.listen()
    return alice, bob
