"""Nobody touches anything, and everybody goes on talking: a move, another region, a dead server."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import expect

from tests.client.conftest import Open
from tests.client.house import House
from tests.client.window import PUT_OUT, Window
from tests.e2e.api import Api
from voice import demo

ALICE, BOB = demo.OWNER, demo.MODERATOR
# What LiveKit's client and the browser say when a server is not there any more.
OF_THE_DEAD = (PUT_OUT, r"\{room: ", "WebSocket connection to", "CONNECTION_REFUSED")


def both_hear(alice: Window, bob: Window, *, within: float = 10) -> None:
    """From now on; what was heard before does not count."""
    alice.listen_again()
    bob.listen_again()
    alice.hears(bob, within=within)
    bob.hears(alice, within=within)


@contextmanager
def nobody_touches(*windows: Window) -> Iterator[None]:
    """No click and no key until the end, and none is waited for: every voice plays."""
    before = [window.touches for window in windows]
    yield
    assert [window.touches for window in windows] == before
    assert all(window.plays() for window in windows)


def told(what: str, alice: Window, bob: Window) -> float:
    """The longest silence that either heard, printed."""
    longest = max(alice.silence, bob.silence)
    print(f"\n{what}: silence of {alice.silence:.2f} s (alice), {bob.silence:.2f} s (bob)")
    return longest


def test_a_moved_person_goes_on_talking_there(talk: tuple[Window, Window], window: Open) -> None:
    alice, bob = talk
    carol = window("Carol").join("Music")

    menu = alice.moderate("Bob")
    menu.get_by_label("Move to").select_option(label="Music")
    bob.listen()
    with nobody_touches(bob, carol):
        menu.get_by_role("button", name="Move", exact=True).click()
        bob.is_in("Music")
        bob.hears(carol)
        carol.hears(bob)

    expect(bob.notice()).to_contain_text("You were moved to Music")
    print(f"\nmove: silence of {bob.silence:.2f} s (bob)")
    assert bob.silence <= 1.5
    expect(bob.control("Mute")).to_be_visible()

    # Alice follows of her own will.
    alice.choose("Music")
    alice.is_in("Music")
    alice.hears(carol)
    both_hear(alice, bob)


def test_another_region_and_both_go_on_talking(talk: tuple[Window, Window], house: House) -> None:
    alice, bob = (one.bears(PUT_OUT) for one in talk)
    assert alice.server == bob.server == "us-west-1"

    # The keys go through the choices, and change nothing; the button does.
    region = bob.page.get_by_label("Region", exact=True)
    region.focus()
    bob.page.keyboard.press("Home")
    with bob.page.expect_response(re.compile("/voice-states$")):
        bob.page.keyboard.press("ArrowDown")
    expect(region).to_have_value("eu-central")
    channel = house.back_end.do("GET", f"/service/channels/{demo.LOUNGE}")
    assert channel["rtc_region"] is None
    bob.page.keyboard.press("Tab")
    bob.page.keyboard.press("Enter")

    with nobody_touches(alice, bob):
        for one in talk:
            one.until(
                "fluxerVoice.state.at === 'in' && fluxerVoice.state.serverId === 'eu-central-1'"
            )
        both_hear(alice, bob)
    assert told("region change", alice, bob) <= 3
    expect(alice.page.locator("#status")).to_contain_text("You are in, on EU Central.")


def test_a_dead_server_and_both_go_on_talking_on_another(
    talk: tuple[Window, Window], house: House
) -> None:
    alice, bob = (one.bears(*OF_THE_DEAD) for one in talk)
    assert alice.server == "us-west-1"
    began = time.monotonic()

    house.media["us-west"].kill()
    try:
        with nobody_touches(alice, bob):
            for one in talk:
                one.until("fluxerVoice.state.serverId === 'eu-central-1'", within=40)
            both_hear(alice, bob)
        print(f"\ndead server: both talk again after {time.monotonic() - began:.1f} s")
        assert told("dead server", alice, bob) <= 20
    finally:
        house.media["us-west"].restart()


def test_a_server_that_hangs_and_both_go_on_talking_on_another(
    talk: tuple[Window, Window], house: House
) -> None:
    """It takes connections still, and says nothing."""
    alice, bob = (one.bears(*OF_THE_DEAD) for one in talk)
    assert alice.server == "us-west-1"
    server = house.media["us-west"]
    pid, began = server.pid, time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        with nobody_touches(alice, bob):
            for one in talk:
                one.until("fluxerVoice.state.serverId === 'eu-central-1'", within=60)
            both_hear(alice, bob)
        print(f"\nhung server: both talk again after {time.monotonic() - began:.1f} s")
        # LiveKit alone takes fifteen seconds to see it.
        assert told("hung server", alice, bob) <= 30
    finally:
        os.kill(pid, signal.SIGCONT)
        server.restart()


def test_two_moves_quickly(talk: tuple[Window, Window], house: House) -> None:
    """Bob is moved away and back before he arrived."""
    alice, bob = talk
    bob.bears(PUT_OUT)
    moderator = Api.person(house.url, ALICE)
    for channel in (demo.MUSIC, demo.LOUNGE):
        body = {"channel_id": str(channel)}
        moderator.do("PATCH", f"/guilds/{demo.GUILD}/members/{BOB}", body)

    bob.is_in("Lounge")
    both_hear(alice, bob)
