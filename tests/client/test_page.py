"""The page itself: for everybody, in light and dark, on a phone."""

from pathlib import Path

from playwright.sync_api import expect

from tests import browser as browsers
from tests.client.conftest import Open
from tests.client.window import SCHEMES


def test_it_is_accessible(window: Open, tmp_path: Path) -> None:
    alice = window()
    alice.page.goto(alice.url)
    assert alice.violations() == []
    alice.sign_in("Alice")
    assert alice.violations() == []

    bob = window("Bob").join("Lounge")
    alice.join("Lounge")
    bob.press("Camera")
    alice.page.get_by_text("What the service is doing").click()
    alice.sees(bob)
    expect(alice.page.locator("#link")).to_be_visible()
    assert alice.violations() == []
    for scheme in SCHEMES:
        alice.page.emulate_media(color_scheme=scheme)
        browsers.picture(alice.page, path=tmp_path / f"{scheme}.png")
    alice.moderate("Bob")
    assert alice.violations() == []
    print(f"pictures in {tmp_path}")


def test_it_works_on_a_phone(window: Open, tmp_path: Path) -> None:
    alice = window(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    alice.page.goto(alice.url)
    width = "document.documentElement.scrollWidth"
    assert alice.ask(width) <= 360
    browsers.picture(alice.page, path=tmp_path / "phone-welcome.png")
    alice.sign_in("Alice").join("Lounge")
    bob = window("Bob").join("Lounge")
    bob.press("Camera")
    alice.tile("Bob").scroll_into_view_if_needed()  # what is not looked at is not sent
    alice.sees(bob)
    assert alice.ask(width) <= 360
    browsers.picture(alice.page, path=tmp_path / "phone.png")
    assert alice.violations() == []
    for name in ("Mute", "Deafen", "Camera", "Screen", "Leave"):
        box = alice.control(name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 40
    print(f"pictures in {tmp_path}")


def test_a_browser_that_cannot_share_a_screen_is_offered_no_button_for_it(window: Open) -> None:
    alice = window()
    alice.page.add_init_script("delete MediaDevices.prototype.getDisplayMedia")
    alice.sign_in("Alice").join("Lounge", talk=False)
    expect(alice.control("Screen")).to_have_count(0)
    expect(alice.control("Camera")).to_be_visible()
