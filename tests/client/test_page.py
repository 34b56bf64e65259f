"""The page itself: for everybody, in light and dark, on a phone."""

from importlib import resources
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import expect

from tests.client.conftest import Open
from tests.client.window import Window

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, as its package brings it."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()


def violations(window: Window, axe: str) -> list[str]:
    """Of the page as it is now, in light and in dark."""
    window.ask(axe + "; null")
    return [
        f"{scheme}: {rule['id']}: {node['html'][:150]} {node['failureSummary'][:300]}"
        for scheme in SCHEMES
        for rule in in_colours(window, scheme)
        for node in rule["nodes"]
    ]


def in_colours(window: Window, scheme: Scheme) -> list[dict[str, Any]]:
    window.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    found: list[dict[str, Any]] = window.ask("axe.run().then(result => result.violations)")
    return found


def test_it_is_accessible(window: Open, axe: str, tmp_path: Path) -> None:
    alice = window()
    alice.page.goto(alice.url)
    assert violations(alice, axe) == []
    alice.sign_in("Alice")
    assert violations(alice, axe) == []

    bob = window("Bob").join("Lounge")
    alice.join("Lounge")
    bob.press("Camera")
    alice.page.get_by_text("What the service is doing").click()
    alice.sees(bob)
    expect(alice.page.locator("#link")).to_be_visible()
    assert violations(alice, axe) == []
    for scheme in SCHEMES:
        alice.page.emulate_media(color_scheme=scheme)
        alice.page.screenshot(path=tmp_path / f"{scheme}.png")
    alice.moderate("Bob")
    assert violations(alice, axe) == []
    print(f"pictures in {tmp_path}")


def test_it_works_on_a_phone(window: Open, tmp_path: Path) -> None:
    alice = window(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    alice.page.goto(alice.url)
    width = "document.documentElement.scrollWidth"
    assert alice.ask(width) <= 360
    alice.page.screenshot(path=tmp_path / "phone-welcome.png")
    alice.sign_in("Alice").join("Lounge")
    bob = window("Bob").join("Lounge")
    bob.press("Camera")
    alice.tile("Bob").scroll_into_view_if_needed()  # what is not looked at is not sent
    alice.sees(bob)
    assert alice.ask(width) <= 360
    alice.page.screenshot(path=tmp_path / "phone.png")
    for name in ("Mute", "Deafen", "Camera", "Screen", "Leave"):
        box = alice.control(name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 40
    print(f"pictures in {tmp_path}")
