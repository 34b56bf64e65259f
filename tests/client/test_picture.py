"""The picture of the README, taken of the page as it is."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.client.conftest import Open


@pytest.mark.parametrize("scheme", ["light"])
def test_a_picture(window: Open, scheme: str, tmp_path: Path) -> None:
    """Printed where it is; docs/demo.png is one of these."""
    alice = window("Alice", color_scheme=scheme, viewport={"width": 1120, "height": 640})
    bob, carol = window("Bob"), window("Carol")
    alice.page.get_by_text("What the service is doing").click()
    alice.join("Lounge", talk=False)
    bob.join("Lounge")
    carol.join("Lounge", talk=False)
    expect(alice.tile("Carol")).to_be_visible()
    alice.moderate("Bob").get_by_role("button", name="Mute for everybody").click()
    alice.moderate("Bob").get_by_role("button", name="Unmute for everybody").click()
    expect(alice.tile("Bob").get_by_role("img", name="muted")).to_have_count(0)
    alice.listen()
    alice.hears(bob)
    expect(alice.page.locator("#link")).to_contain_text(re.compile("↓ [1-9]"))
    expect(alice.tile("Bob")).to_have_class(re.compile("speaking"))
    picture = tmp_path / "demo.png"
    alice.page.screenshot(path=picture)
    assert picture.stat().st_size < 200_000
    print(f"\n{picture}")
