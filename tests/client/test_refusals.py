"""Whatever stands in the way is said in a sentence, and nothing is tried that would be in vain."""

import os
from typing import Any

import jwt
from playwright.sync_api import Route, expect

from fluxer.directory.permissions import Permission
from tests.client.conftest import Open
from tests.client.house import House
from tests.client.window import PUT_OUT, Window
from tests.e2e.api import Api
from voice import demo

CAROL = 9003


def test_who_is_disconnected_is_told_and_stays_out(talk: tuple[Window, Window]) -> None:
    alice, bob = talk
    bob.bears(PUT_OUT)
    bob.ask(
        "window.microphone = [...fluxerVoice.room.localParticipant.trackPublications.values()]"
        "[0].track.mediaStreamTrack; null"
    )
    assert bob.ask("microphone.readyState") == "live"
    menu = alice.moderate("Bob")
    menu.get_by_role("button", name="Disconnect").click()

    notice = bob.notice().get_by_role("alert")
    expect(notice).to_contain_text("A moderator disconnected you.")
    expect(alice.tile("Bob")).to_have_count(0)
    # The microphone is off, and nothing is tried.
    requests: list[str] = []
    bob.page.on("request", lambda request: requests.append(request.url))
    bob.page.wait_for_timeout(2500)
    assert not [url for url in requests if "/voice/token" in url or "@me" in url]
    assert bob.ask("[microphone.readyState, fluxerVoice.state.at]") == ["ended", "ended"]
    assert bob.violations() == []

    notice.get_by_role("button", name="Join again").click()
    bob.is_in("Lounge")


def test_who_is_muted_by_a_moderator_is_told_and_speaks_again_when_that_ends(
    talk: tuple[Window, Window],
) -> None:
    alice, bob = talk
    alice.moderate("Bob").get_by_role("button", name="Mute for everybody").click()
    expect(bob.notice()).to_contain_text("You may not speak here just now.")
    assert bob.violations() == []
    expect(alice.in_list("Bob").get_by_role("img", name="muted by a moderator")).to_be_visible()
    alice.until("performance.now() - ears.heardAt > 700")

    alice.moderate("Bob").get_by_role("button", name="Unmute for everybody").click()
    expect(bob.notice()).not_to_contain_text("You may not")
    alice.listen()
    alice.hears(bob)

    # And whose turn to be heard that is, they say themselves.
    alice.moderate("Bob").get_by_role("button", name="Mute for everybody").click()
    expect(bob.notice()).to_contain_text("You may not speak here just now.")
    bob.press("Mute")
    expect(bob.control("Unmute")).to_be_disabled()
    alice.moderate("Bob").get_by_role("button", name="Unmute for everybody").click()
    expect(bob.control("Unmute")).to_be_enabled()
    expect(bob.page.locator("#status")).to_contain_text("You are muted.")


def test_an_answer_that_comes_late_is_of_whom_it_was_asked(window: Open, house: House) -> None:
    for person in (demo.MODERATOR, CAROL):
        body = {"guild_id": str(demo.GUILD)}
        Api.person(house.url, person).do("POST", f"/channels/{demo.LOUNGE}/voice/token", body)
    alice = window("Alice")
    held: list[Route] = []
    alice.page.route("**/members/*", lambda route: held.append(route))
    with alice.page.expect_request("**/members/*"):
        alice.moderate("Bob").get_by_role("button", name="Mute for everybody").click()
    alice.page.keyboard.press("Escape")
    menu = alice.moderate("Carol")
    expect(menu).to_be_visible()
    with alice.page.expect_response("**/voice-states"):
        held[0].continue_()
    expect(alice.page.locator("#lines li").last).to_contain_text("Muted Bob.")
    with alice.page.expect_response("**/voice-states"):
        pass  # the list is read again after an act, and only then the menu is closed
    expect(menu).to_be_visible()


def test_a_full_channel(window: Open) -> None:
    for name in ("Alice", "Bob"):
        window(name).join("Booth for two", talk=False)
    carol = window("Carol").bears("status of 400")
    carol.choose("Booth for two")
    expect(carol.notice().get_by_role("alert")).to_contain_text("This channel is full.")
    expect(carol.page.locator("#place")).to_have_text("Nowhere yet")


def test_no_permission(window: Open, house: House) -> None:
    deny = {"id": str(CAROL), "type": 1, "allow": "0", "deny": str(int(Permission.CONNECT))}
    house.tell(f"channels/{demo.MUSIC}", {"overwrites": [deny]}, "PATCH")
    carol = window("Carol").bears("status of 403")
    carol.choose("Music")
    expect(carol.notice().get_by_role("alert")).to_contain_text("do not have permission")


def test_what_a_moderator_lost_the_permission_for(window: Open, house: House) -> None:
    window("Carol").join("Lounge", talk=False)
    bob = window("Bob").join("Lounge", talk=False).bears("status of 403")
    lost = Permission.MUTE_MEMBERS | Permission.UPDATE_RTC_REGION
    deny = {"id": str(demo.MODERATOR), "type": 1, "allow": "0", "deny": str(int(lost))}
    house.tell(f"channels/{demo.LOUNGE}", {"overwrites": [deny]}, "PATCH")
    menu = bob.moderate("Carol")
    menu.get_by_role("button", name="Mute for everybody").click()
    expect(menu.get_by_role("alert")).to_have_text("You do not have permission to do this to them.")
    menu.get_by_role("button", name="Close").click()
    bob.page.get_by_role("button", name="Change", exact=True).click()
    expect(bob.notice().get_by_role("alert")).to_have_text(
        "You do not have permission to change this channel's region."
    )


def test_a_permission_that_goes_while_one_is_in(window: Open, house: House) -> None:
    carol = window("Carol").join("Music", talk=False).bears(PUT_OUT)
    deny = {"id": str(CAROL), "type": 1, "allow": "0", "deny": str(int(Permission.CONNECT))}
    house.tell(f"channels/{demo.MUSIC}", {"overwrites": [deny]}, "PATCH")
    expect(carol.notice().get_by_role("alert")).to_contain_text("no longer have access")


def test_no_server(window: Open, house: House) -> None:
    places = [f"regions/{region}/servers/{region}-1" for region in house.media]
    for place in places:
        house.tell(place, {"is_active": False}, "PATCH")
    try:
        alice, bob = window("Alice"), window("Bob")
        for one in (alice, bob):
            one.bears("status of 503").choose("Lounge")
            expect(one.notice()).to_contain_text("no voice server at the moment. Trying again")
        bob.notice().get_by_role("button", name="Stop trying").press("Enter")
        expect(bob.page.locator("#place")).to_be_focused()
        expect(bob.page.locator("#status")).to_have_text("Choose a channel to talk.")
        expect(bob.notice()).to_have_text("")
    finally:
        for place in places:
            house.tell(place, {"is_active": True}, "PATCH")
    alice.is_in("Lounge")
    expect(alice.notice()).to_have_text("")
    assert bob.ask("fluxerVoice.state.at") == "out"


def test_a_voice_server_that_is_newer_than_the_page(window: Open, house: House) -> None:
    """The page may connect only to the servers that were there when it was loaded; it says so."""
    alice = window("Alice").bears("//localhost:", PUT_OUT, r"\{room: ")
    server, known = "regions/eu-central/servers/eu-central-1", house.address("eu-central")
    house.tell(server, {**known, "endpoint": known["endpoint"].replace("127.0.0.1", "localhost")})
    try:
        house.tell(f"channels/{demo.LOUNGE}", {"rtc_region": "eu-central"}, "PATCH")
        alice.choose("Lounge")
        newer = alice.notice().get_by_role("alert").filter(has_text="newer than this page")
        newer.get_by_role("button", name="Reload").click()
        alice.be("Alice").join("Lounge", talk=False)
        assert alice.server == "eu-central-1"
    finally:
        house.empty()
        house.tell(server, known)


def test_an_expired_session(window: Open) -> None:
    alice = window().bears("status of 401")
    alice.page.route("**/demo/session", expired)
    alice.page.goto(alice.url)
    alice.page.get_by_role("button", name="Alice").click()
    expect(alice.page.locator("#welcome-notice")).to_contain_text("Your session has expired")
    expect(alice.page.locator("#house")).to_be_hidden()


def expired(route: Route) -> None:
    """The session as it will be tomorrow."""
    answer = route.fetch()
    body: dict[str, Any] = answer.json()
    claims = jwt.decode(body["token"], options={"verify_signature": False})
    claims["exp"] -= 2 * demo.TOKEN_LIFE
    route.fulfill(response=answer, json={**body, "token": sign(claims)})


def sign(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, os.environ["FLUXER_AUTH_JWT_KEY"], algorithm="HS256")


def test_a_service_that_is_away_is_said_to_be(window: Open) -> None:
    alice = window("Alice").join("Lounge", talk=False)
    alice.bears("ERR_FAILED")
    alice.page.route("**/guilds/**", lambda route: route.abort())
    expect(alice.page.locator("#stale")).to_contain_text("may be out of date")
    alice.page.unroute("**/guilds/**")
    expect(alice.page.locator("#stale")).to_have_text("")


def test_no_microphone(window: Open) -> None:
    alice = window("Alice").join("Lounge", talk=False)
    alice.ask(
        "navigator.mediaDevices.getUserMedia = async () =>"
        " { throw new DOMException('no', 'NotAllowedError'); }; null"
    )
    alice.press("Unmute")
    expect(alice.notice().get_by_role("alert")).to_contain_text(
        "not allowed to use your microphone"
    )
    expect(alice.control("Unmute")).to_be_visible()
    assert alice.ask("fluxerVoice.state.at") == "in"
