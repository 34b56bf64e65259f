"""Two windows: they hear and see each other, and what one does the other sees."""

import re

from playwright.sync_api import Request, Route, expect

from tests.client.conftest import Open
from tests.client.window import Window


def test_two_people_hear_and_see_each_other(talk: tuple[Window, Window]) -> None:
    alice, bob = talk
    for one in talk:
        one.press("Camera")
    alice.sees(bob)
    bob.sees(alice)
    alice.hears(bob)
    expect(alice.tile("Bob").locator("video")).to_be_visible()
    expect(alice.in_list("Bob")).to_have_class("speaking")
    # Who cannot see the ring comes by the word, and is not told each time.
    for place in (alice.in_list("Bob"), alice.tile("Bob")):
        expect(place).to_contain_text("Bob, speaking")
        assert place.evaluate("e => e.closest('[aria-live], [role=status], [role=log]')") is None

    # A microphone that is muted is seen to be, and nobody is heard through it.
    alice.press("Mute")
    expect(bob.tile("Alice").get_by_role("img", name="muted")).to_be_visible()
    expect(bob.in_list("Alice").get_by_role("img", name="muted")).to_be_visible()
    expect(bob.tile("Alice")).not_to_contain_text("speaking")
    bob.until("performance.now() - ears.heardAt > 700")
    alice.press("Unmute")
    expect(bob.tile("Alice").get_by_role("img", name="muted")).to_have_count(0)
    bob.listen()
    bob.hears(alice)

    # Who is deafened hears nobody, and says nothing.
    bob.press("Deafen")
    expect(bob.page.locator("#status")).to_contain_text("You are deafened: nobody hears you.")
    for one in talk:
        one.until("performance.now() - ears.heardAt > 700")
    expect(alice.in_list("Bob").get_by_role("img", name="deafened")).to_be_visible()
    bob.press("Undeafen")
    expect(bob.page.locator("#status")).not_to_contain_text("nobody hears you")
    for one, other in ((alice, bob), (bob, alice)):
        one.listen()
        one.hears(other)

    bob.press("Leave")
    expect(alice.tile("Bob")).to_have_count(0)
    expect(alice.in_list("Bob")).to_have_count(0)
    expect(bob.page.get_by_role("status").filter(has_text="Choose a channel")).to_be_visible()


def test_a_camera_that_nobody_looks_at_is_not_sent_whatever_one_says(window: Open) -> None:
    alice = window("Alice").join("Lounge")
    alice.press("Camera")
    sent = (
        "fluxerVoice.room.localParticipant.getTrackPublication('camera')?.track?.sender"
        "?.getParameters().encodings.filter(layer => layer.active).length"
    )
    alice.until(f"{sent} === 0", within=20)
    for name in ("Mute", "Unmute"):
        alice.press(name)
        alice.page.wait_for_timeout(500)
        assert alice.ask(sent) == 0


def test_a_microphone_that_was_left_on_is_said_to_be_and_heard_at_once(
    talk: tuple[Window, Window],
) -> None:
    alice, bob = talk
    alice.press("Leave")
    expect(alice.page.locator("#empty-text")).to_contain_text("Your microphone will be on")
    bob.listen()
    alice.join("Lounge", talk=False)
    bob.hears(alice)
    alice.press("Leave")
    alice.press("Mute")
    expect(alice.page.locator("#empty-text")).to_contain_text("You start muted")


def test_who_goes_to_another_channel_is_told_that_they_are_on_the_way(window: Open) -> None:
    alice = window("Alice").join("Lounge", talk=False)
    held: list[Route] = []
    alice.page.route("**/voice/token", lambda route: held.append(route))
    with alice.page.expect_request("**/voice/token"):
        alice.choose("Music")
    expect(alice.page.locator("#status")).to_have_text("Going to Music.")
    said = alice.page.locator("#lines li").last.evaluate("e => e.lastChild.textContent")
    assert said == "Going to Music."
    held[0].continue_()
    alice.is_in("Music")


def test_a_position_chooses_the_nearest_region(window: Open) -> None:
    alice = window("Alice", geolocation={"latitude": 45.46421, "longitude": 9.18951})
    devices = ["camera", "microphone", "geolocation"]
    alice.page.context.grant_permissions(devices, origin=alice.url)
    alice.page.get_by_text("My region").click()
    preferred = alice.page.get_by_label("Preferred for rooms that are not open yet")
    expect(preferred.get_by_role("option", name="EU Central")).to_have_count(1)
    alice.page.get_by_label("Let my position choose the nearest").check()
    with alice.page.expect_request(re.compile("/voice/token$")) as asked:
        alice.join("Lounge", talk=False)
    assert alice.server == "eu-central-1"
    wish = asked.value.post_data_json or {}
    assert (wish["latitude"], wish["longitude"]) == ("45.46", "9.19")


def test_one_may_leave_while_the_browser_asks_for_the_position(window: Open) -> None:
    alice = window("Alice")
    alice.ask("navigator.geolocation.getCurrentPosition = () => {}; null")
    alice.page.get_by_text("My region").click()
    alice.page.get_by_label("Let my position choose the nearest").check()
    asked: list[str] = []
    alice.page.on("request", lambda request: asked.append(request.url))
    alice.choose("Lounge")
    expect(alice.page.locator("#status")).to_have_text("Joining Lounge…")
    alice.press("Leave")
    expect(alice.page.locator("#status")).to_have_text("Choose a channel to talk.")
    with alice.page.expect_response(re.compile("/voice-states$")):
        pass
    assert not [url for url in asked if "/voice/token" in url]


def test_a_double_click_is_one(window: Open) -> None:
    alice = window()
    alice.name = "Alice"
    asked: list[str] = []  # what changes something, but for what one's devices are doing

    def note(request: Request) -> None:
        is_flags = request.method == "PATCH" and "channel_id" not in (request.post_data_json or {})
        if request.method != "GET" and not is_flags:
            asked.append(request.url.rsplit("/", 1)[1])

    alice.page.on("request", note)
    alice.page.goto(alice.url)
    alice.page.get_by_role("button", name="Alice").dblclick()
    for channel in ("Lounge", "Music"):
        alice.channel(channel).dblclick()
        alice.is_in(channel)
    assert asked == ["session", "token", "@me", "token"]


def test_a_browser_that_waits_for_a_click_before_it_plays_sound(window: Open) -> None:
    bob, alice = window("Bob").join("Lounge"), window("Alice").bears("could not playback audio")
    alice.ask(
        "HTMLMediaElement.prototype.played_ = HTMLMediaElement.prototype.play;"
        " HTMLMediaElement.prototype.play = async () => {"
        " throw new DOMException('no click yet', 'NotAllowedError'); }; null"
    )
    alice.join("Lounge", talk=False)
    expect(alice.notice()).to_contain_text("The browser waits for a click")
    assert not alice.plays()
    alice.ask("HTMLMediaElement.prototype.play = HTMLMediaElement.prototype.played_; null")
    alice.notice().get_by_role("button", name="Play sound").click()
    expect(alice.notice()).to_have_text("")
    assert alice.plays()
    alice.hears(bob)


def test_a_screen_is_shared(talk: tuple[Window, Window]) -> None:
    alice, bob = talk
    alice.page.bring_to_front()
    alice.press("Screen")
    expect(bob.tile("Alice: screen").locator("video")).to_be_visible()
    bob.sees(alice)
    alice.press("Stop screen")
    expect(bob.tile("Alice: screen")).to_have_count(0)


def test_a_download_and_a_page_that_one_stays_on_after_all_put_nobody_out(
    talk: tuple[Window, Window],
) -> None:
    alice, bob = talk
    alice.ask("window.left = []; fluxerVoice.on('state', ({ at }) => left.push(at)); null")
    attached = {"Content-Disposition": "attachment; filename=minutes.zip"}
    alice.page.route("**/minutes.zip", lambda route: route.fulfill(body="x", headers=attached))
    with alice.page.expect_download():
        alice.ask("(location.href = '/minutes.zip', null)")
    alice.ask("addEventListener('beforeunload', event => event.preventDefault()); null")
    alice.page.once("dialog", lambda dialog: dialog.dismiss())
    with alice.page.expect_event("dialog"):
        alice.ask("(location.href = '/docs', null)")
    bob.listen()
    bob.hears(alice)
    assert alice.ask("left") == []


def test_a_page_that_goes_away_leaves_at_once(talk: tuple[Window, Window]) -> None:
    alice, bob = talk
    alice.page.goto("about:blank")
    expect(bob.tile("Alice")).to_have_count(0, timeout=3000)
    expect(bob.in_list("Alice")).to_have_count(0, timeout=5000)  # read every two seconds


def test_each_tab_is_a_device(window: Open) -> None:
    first, second = window("Alice").join("Lounge"), window("Alice").join("Music")

    first.is_in("Lounge")
    expect(second.in_list("Alice")).to_have_count(2)
