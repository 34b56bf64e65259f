"""A link that is throttled by the browser itself: the picture gives way, the voice never does."""

from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, expect

from tests.client.conftest import Open

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


def test_the_camera_gives_way_and_comes_back(window: Open, tmp_path: Path) -> None:
    alice, bob = window("Alice"), window("Bob").join("Lounge")
    session = alice.page.context.new_cdp_session(alice.page)
    session.send("Network.enable")
    throttle(session)
    alice.join("Lounge")
    alice.press("Camera")
    bob.sees(alice)
    steps = "window.steps = []; fluxerVoice.on('step', s => steps.push(s.direction + s.rung.name))"
    alice.ask(f"{steps}; null")

    throttle(session, **POOR)
    alice.until("steps.length > 0", within=30)
    expect(alice.notice()).to_contain_text("Your connection is weak")
    # One rung after the other, and then no picture at all; another region may be better.
    alice.until("steps.at(-1) === 'downoff'", within=40)
    assert alice.ask("steps") == ["downmedium", "downlow", "downslow", "downoff"]
    expect(alice.notice()).to_contain_text("your camera is paused")
    expect(bob.tile("Alice").locator("video")).to_have_count(0)
    bob.listen()
    bob.hears(alice)
    expect(alice.notice()).to_contain_text("Your connection stays weak.", timeout=15_000)
    expect(alice.notice().get_by_role("button", name="Try EU Central")).to_be_visible()
    alice.page.screenshot(path=tmp_path / "poor.png")

    throttle(session)
    alice.until("steps.at(-1)?.startsWith('up')", within=40)
    expect(alice.notice()).to_contain_text("Your connection is better")
    bob.listen_again()
    bob.hears(alice)
    print("\nthrottled: " + ", ".join(alice.ask("steps")))
