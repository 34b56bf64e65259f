"""With a keyboard alone: everything can be reached, and the focus is never lost."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.client.conftest import Open
from tests.client.window import PUT_OUT, Window

CONTROLS = (
    "[...document.querySelectorAll('a, button, select, input, summary')]"
    ".filter(e => !e.disabled && e.checkVisibility())"
)


def test_it_works_with_the_keyboard_alone(window: Open) -> None:
    alice = window()
    alice.page.goto(alice.url)
    press = alice.page.keyboard.press
    press("Tab")
    press("Enter")
    expect(alice.page.get_by_role("button", name=re.compile("^Lounge"))).to_be_focused()
    press("Enter")
    alice.is_in("Lounge")
    for closed in ("My region", "What the service is doing"):
        tab_to(alice, alice.page.locator("summary", has_text=closed))
        press("Enter")
    tab_to(alice, alice.control("Unmute"))
    press("Space")
    expect(alice.control("Mute")).to_be_focused()
    # Once around: nothing that one could click is left out.
    for _ in range(alice.ask(f"{CONTROLS}.length") + 2):
        press("Tab")
        alice.ask("document.activeElement.wasReached = true")
    assert alice.ask(f"{CONTROLS}.filter(e => !e.wasReached).map(e => e.outerHTML)") == []
    # A list that is read again takes the focus away from nobody.
    tab_to(alice, alice.channel("Music"))
    for _ in range(2):
        with alice.page.expect_response(re.compile("/voice-states$")):
            pass
    expect(alice.channel("Music")).to_be_focused()


def test_the_focus_stays_on_the_page_when_what_has_it_goes_away(
    talk: tuple[Window, Window],
) -> None:
    alice, bob = talk
    bob.bears(PUT_OUT)
    press(alice, alice.in_list("Bob").get_by_role("button", name="Moderate Bob"))
    press(
        alice, alice.page.get_by_role("dialog", name="Bob").get_by_role("button", name="Disconnect")
    )
    expect(alice.in_list("Bob")).to_have_count(0)
    has_the_focus(alice)

    press(bob, bob.notice().get_by_role("button", name="Join again"))
    bob.is_in("Lounge")
    has_the_focus(bob)

    press(bob, bob.control("Leave"))
    expect(bob.page.locator("#status")).to_have_text("Choose a channel to talk.")
    has_the_focus(bob)
    # And from there it goes on to what comes next.
    bob.page.keyboard.press("Tab")
    assert bob.ask("document.activeElement.localName") in ("button", "summary")


def test_a_menu_that_is_closed_gives_the_focus_back(talk: tuple[Window, Window]) -> None:
    alice, _ = talk
    more = alice.in_list("Bob").get_by_role("button", name="Moderate Bob")
    press(alice, more)
    alice.page.keyboard.press("Escape")
    expect(more).to_be_focused()


def tab_to(window: Window, control: Any) -> None:
    for _ in range(30):
        if control.evaluate("e => e === document.activeElement"):
            return
        window.page.keyboard.press("Tab")
    expect(control).to_be_focused()


def press(window: Window, control: Any) -> None:
    """By its key."""
    control.focus()
    window.page.keyboard.press("Enter")


def has_the_focus(window: Window) -> None:
    expect(window.page.locator("#place")).to_be_focused()
