"""A link that is throttled by the browser itself: the picture gives way, the voice never does."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, expect

from tests import browser as browsers
from tests.client.conftest import Open
from tests.client.window import Window

# A throttle that lets everything through. WebRTC's sockets are throttled later only if they were
# opened under one.
FREE = {
    "offline": False,
    "latency": 1,
    "downloadThroughput": 10_000_000,
    "uploadThroughput": 10_000_000,
    "packetLoss": 0,
    "packetQueueLength": 0,
}
POOR = {"latency": 50, "uploadThroughput": 15_000, "packetLoss": 30, "packetQueueLength": 20}


def throttle(session: CDPSession, **conditions: Any) -> None:
    session.send("Network.emulateNetworkConditions", {**FREE, **conditions})


# What the rungs send: lines at most, and frames a second.
LINES = {"full": 720, "medium": 360, "low": 180, "slow": 180, "off": 0}
FRAMES = {"slow": 9, "off": 0}
SETTLED = 3000  # milliseconds after a step; what was sent before has arrived by then
STEPS = (
    "window.steps = []; fluxerVoice.on('step', s => steps.push([Date.now(), s.direction,"
    " s.rung.name])); null"
)


def test_the_camera_gives_way_and_comes_back(window: Open, tmp_path: Path) -> None:
    alice = window("Alice")
    bob = window("Bob", viewport={"width": 1920, "height": 1080}).join("Lounge")  # wants 720 lines
    session = alice.page.context.new_cdp_session(alice.page)
    session.send("Network.enable")
    throttle(session)
    alice.join("Lounge")
    alice.press("Camera")
    bob.until("ears.film.at(-1)?.[2] === 720", within=20)
    alice.ask(STEPS)
    bob.hears(alice)
    bob.listen()

    throttle(session, **POOR)
    # One rung after the other, and then no picture at all. The voice goes on through all of it.
    for rung in ("medium", "low", "slow", "off"):
        bob.listen_again()
        arrives(alice, "down", rung)
        bob.hears(alice)
    expect(alice.notice()).to_contain_text("your camera is paused")
    expect(bob.tile("Alice").locator("video")).to_have_count(0)
    # Another region may be better.
    expect(alice.notice()).to_contain_text("Your connection stays weak.", timeout=20_000)
    expect(alice.notice().get_by_role("button", name="Try EU Central")).to_be_visible()
    browsers.picture(alice.page, path=tmp_path / "poor.png")

    throttle(session)
    for rung in ("slow", "low", "medium", "full"):
        bob.listen_again()
        arrives(alice, "up", rung)
        expect(bob.tile("Alice").locator("video")).to_be_visible()
        bob.hears(alice)
        if rung == "slow":
            expect(alice.notice()).to_contain_text("Your connection is better")
    expect(alice.notice()).to_contain_text("Your camera is back")
    bob.until("ears.film.at(-1)[2] === 720", within=20)

    print(f"\nthrottled: silence of {bob.silence:.2f} s (bob)")
    assert bob.silence <= 3
    assert_sent_as_the_rungs_say(alice, bob)


def arrives(alice: Window, direction: str, rung: str) -> None:
    """Alice's camera at a rung, if need be after another try."""
    alice.until(
        f"steps.some(([, way, name]) => way === '{direction}' && name === '{rung}')", within=150
    )


def assert_sent_as_the_rungs_say(alice: Window, bob: Window) -> None:
    """By what Bob decoded while Alice's camera was on each; upwards, nothing else keeps it down."""
    for (at, direction, rung), (end, *_) in pairwise(alice.ask("steps")):
        begin = at + SETTLED
        if end <= begin:
            continue
        heights, frames = bob.film(alice, begin, end)
        print(f"{direction} {rung}: lines {sorted(heights)}, {frames:.1f} frames a second")
        assert max(heights, default=0) <= LINES[rung], rung
        assert frames <= FRAMES.get(rung, 30), rung
        if direction == "up":
            assert LINES[rung] in heights
            assert frames > 2
