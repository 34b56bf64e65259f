"""One person goes, and another sits down at the same page: nothing of the first is left on it."""

from playwright.sync_api import Request, Route, expect

from tests.client.conftest import Open
from tests.client.house import House
from tests.client.window import Window
from tests.e2e.api import Api
from voice import demo

OWN = "**/voice-states/@me"


def is_leave(request: Request) -> bool:
    is_own = request.method == "PATCH" and request.url.endswith("/voice-states/@me")
    return is_own and (request.post_data_json or {}).get("channel_id", "") is None


def sign_out(window: Window) -> None:
    window.page.get_by_role("button", name="be somebody else").click()


def test_who_comes_next_is_not_disturbed_by_who_went(window: Open) -> None:
    """The service is slow to answer the first, and the browser is denied their camera late."""
    alice = window("Alice").join("Lounge", talk=False)
    alice.ask(
        "navigator.mediaDevices.getUserMedia = () => new Promise((_, reject) => {"
        " window.deny = () => reject(new DOMException('no', 'NotAllowedError')); }); null"
    )
    alice.press("Camera")
    alice.until("window.deny")
    held: list[Route] = []

    def hold_the_leave(route: Route) -> None:
        if not held and is_leave(route.request):
            held.append(route)
        else:  # what is told of the microphone, say
            route.fallback()

    alice.page.route(OWN, hold_the_leave)
    with alice.page.expect_request(is_leave):
        sign_out(alice)
    expect(alice.page.locator("#welcome")).to_be_visible()

    bob = alice.be("Bob").join("Lounge", talk=False)
    bob.ask("deny(); null")
    held[0].continue_()
    expect(bob.in_list("Alice")).to_have_count(0)
    expect(bob.in_list("Bob")).to_have_count(1)
    expect(bob.page.locator("#house")).to_be_visible()
    expect(bob.notice()).to_have_text("")
    assert bob.ask("fluxerVoice.state.at") == "in"


def test_what_a_moderator_is_told_late_is_not_for_who_comes_next(
    window: Open, house: House
) -> None:
    bob = Api.person(house.url, demo.MODERATOR)
    bob.do("POST", f"/channels/{demo.LOUNGE}/voice/token", {"guild_id": str(demo.GUILD)})
    alice = window("Alice").bears("status of 403")
    held: list[Route] = []
    alice.page.route("**/members/*", lambda route: held.append(route))
    for status in (200, 403):
        with alice.page.expect_request("**/members/*"):
            alice.moderate("Bob").get_by_role("button", name="Mute for everybody").click()
        alice.page.keyboard.press("Escape")
        sign_out(alice)
        alice.be("Alice")
        with alice.page.expect_response("**/members/*"):
            held.pop().fulfill(status=status, json={"code": "NO"})
        with alice.page.expect_response("**/voice-states"):
            pass  # time goes by
        expect(alice.page.locator("#lines li")).to_have_count(1)
        expect(alice.page.locator("#lines li")).to_contain_text("Signed in.")


def test_a_session_that_expires_takes_the_open_menu_with_it(window: Open, house: House) -> None:
    bob = Api.person(house.url, demo.MODERATOR)
    bob.do("POST", f"/channels/{demo.LOUNGE}/voice/token", {"guild_id": str(demo.GUILD)})
    alice = window("Alice").bears("status of 401")
    menu = alice.moderate("Bob")
    expired = {"code": "UNAUTHORIZED", "message": "expired"}
    alice.page.route("**/guilds/**", lambda route: route.fulfill(status=401, json=expired))
    expect(alice.page.locator("#welcome-notice")).to_contain_text("Your session has expired")
    expect(menu).to_be_hidden()
