"""The page of docs/client.md, on an origin of its own, as it stands there."""

import re

from playwright.sync_api import expect

from fluxer.local.configuration import PROJECT
from tests.client.conftest import Open
from tests.client.house import House
from tests.client.window import PUT_OUT
from voice import demo

SNIPPET = re.compile(r"```html\n(.*?)```", re.DOTALL)


def page_of_the_docs(house: House) -> str:
    """With the names of this house for those of the example."""
    found = SNIPPET.search((PROJECT / "docs" / "client.md").read_text())
    assert found is not None
    page = found[1]
    for theirs, ours in (
        ("https://voice.example.org", house.url),
        ('"10"', f'"{demo.GUILD}"'),
        ('"100"', f'"{demo.LOUNGE}"'),
    ):
        assert theirs in page
        page = page.replace(theirs, ours)
    return page


def test_from_nothing_to_talking(window: Open, house: House) -> None:
    bob = window("Bob").join("Lounge")
    bob.press("Camera")
    carol = window()
    carol.page.context.grant_permissions(["camera", "microphone"], origin=house.guest)
    carol.page.route(
        f"{house.guest}/voice-token", lambda route: route.fulfill(body=demo.sign(9003))
    )
    html = page_of_the_docs(house)
    carol.page.route(
        f"{house.guest}/", lambda route: route.fulfill(body=html, content_type="text/html")
    )
    carol.page.goto(f"{house.guest}/")

    carol.page.get_by_role("button", name="Join").click()
    expect(carol.page.locator("#told")).to_have_text("in")
    expect(carol.page.locator("#people")).to_have_text("Carol, Bob")
    carol.until("document.querySelector('#pictures video')?.currentTime > 0")
    carol.until("[...document.querySelectorAll('audio')].some(a => !a.paused && a.currentTime > 0)")
    bob.listen()
    carol.name = "Carol"
    bob.hears(carol)
    bob.press("Stop camera")
    expect(carol.page.locator("#pictures video")).to_have_count(0)

    for one in (bob, carol):
        one.bears(PUT_OUT)
    house.back_end.do("POST", f"/service/channels/{demo.LOUNGE}/voice/disconnect")
    expect(carol.page.locator("#told")).to_have_text("A moderator disconnected you.")
