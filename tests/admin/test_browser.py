"""Staff at work, in a real browser, on the whole product, with a real media server and client."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests import browser as browsers
from tests.e2e.product import Product
from tests.e2e.town import Town, soon

pytestmark = pytest.mark.slow

PASSWORD = "correct-horse-battery"
PERMISSIONS = """
from django.contrib.auth.models import Permission, User
for name, word in (("root", None), ("vera", "view_"), ("petra", "")):
    user = User.objects.create_user(name, password="{password}", is_superuser=name == "root")
    User.objects.filter(pk=user.pk).update(is_staff=name != "petra")
    if word:
        ours = ("directory", "regions", "voice")
        user.user_permissions.set(Permission.objects.filter(
            codename__startswith=word, content_type__app_label__in=ours))
"""

# A day like any other: four regions, one server of which does not answer.
BUSY = """
import math, random
from datetime import timedelta
from django.utils import timezone
from fluxer.directory.models import Channel, Guild, User
from regions.models import Region, Server
from voice.models import RoomPin, Sample, Sweep, VoiceState
now, people = timezone.now(), random.Random(7)
Region.objects.filter(is_default=True).update(is_default=False)
owner = User.objects.create(pk=10**6, username="owner")
guild = Guild.objects.create(pk=10**6, name="busy", owner=owner)
number, media = 10**6, iter({media})
for name, pk, latitude, longitude, loads in (
    ("Ashburn", "us-east", 39.0, -77.5, (310, 190)), ("Oregon", "us-oregon", 45.5, -121.0, (120,)),
    ("Frankfurt", "eu-central", 50.1, 8.7, (420, 0)), ("Singapore", "ap-south", 1.3, 103.8, (64,)),
):
    region = Region.objects.create(
        pk=pk, name=name, latitude=latitude, longitude=longitude, is_default=pk == "us-east")
    for slug, load in zip("ab", loads):
        gone = {{}} if load else {{"down_since": now, "last_error": "LiveKit cannot be reached"}}
        url, key, secret = next(media) if load else ("ws://127.0.0.1:9", "key", "gone")
        server = Server.objects.create(
            region=region, slug=slug, endpoint=url, api_key=key, api_secret=secret,
            soft_connection_limit=500, webhook_at=now, probed_at=now, probe_ms=3, **gone)
        Sweep.objects.create(server=server, leased_until=now, swept_at=now)
        for seat in range(load):
            number += 1
            if seat % 6 == 0:
                channel = Channel.objects.create(pk=number, type=2, guild=guild)
                RoomPin.objects.create(channel=channel, server=server, pinned_at=now, made_at=now)
            user = User.objects.create(pk=number, username=str(number))
            VoiceState.objects.create(
                connection_id=f"conn_{{number}}", session=str(number), user=user, channel=channel,
                server=server, joined_at=now, participant_sid=f"PA_{{number}}", created_at=now)
Sample.objects.all().delete()
for minute in range(1, 1440, 2):
    wave = 650 + 450 * math.cos(minute / 1440 * 2 * math.pi) + people.gauss(0, 9)
    at = now - timedelta(minutes=minute)
    Sample.objects.create(minute=at, taken_at=at, connected=int(wave), strangers=minute == 7)
Sample.objects.create(minute=now, taken_at=now, connected=1104)
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    try:
        with browsers.chromium() as browser:
            yield browser
    except browsers.NoBrowser as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with staff, and nothing else: root, vera who may look, petra who is no staff."""
    with ExitStack() as stack:
        # Nobody of the busy house is in LiveKit: a sweep would soon have them out.
        product = Product(tmp_path_factory.mktemp("empty"), stack, VOICE_SWEEP_INTERVAL=3600)
        product.start()
        product.manage("shell", "--command", PERMISSIONS.format(password=PASSWORD))
        yield product


@pytest.fixture
def sign_in(chromium: Browser, empty: Product) -> Iterator[Callable[..., Page]]:
    """Opens the admin for somebody, in a window of their own."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def open_(name: str, **window: Any) -> Page:
        window.setdefault("viewport", {"width": 1280, "height": 900})
        contexts.append(chromium.new_context(**window))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{empty.url}/admin/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [text for text in said if "Content Security Policy" in text] == []


def messages(page: Page) -> Locator:
    """What the last action said."""
    return page.locator(".messagelist")


def test_from_nothing_to_a_room_that_is_ended(
    sign_in: Callable[..., Page],
    empty: Product,
    livekit_servers: Callable[..., Any],
    rtc: Callable[..., Any],
) -> None:
    media = livekit_servers(f"{empty.url}/webhooks/livekit/us-west/a")
    page = sign_in("root")
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()

    # A region, by way of the first step.
    page.get_by_role("link", name=re.compile("^Add a region: a name")).click()
    page.locator("#id_id").fill("us-west")
    page.locator("#id_name").fill("US West")
    page.locator("#id_is_default").check()
    page.locator("#id_latitude").fill("45.5")
    page.locator("#id_longitude").fill("-122.7")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(messages(page)).to_contain_text("was added successfully")

    # A server, which is tried at once.
    page.goto(f"{empty.url}/admin/regions/server/add/")
    page.locator("#id_region").select_option("us-west")
    page.locator("#id_slug").fill("a")
    page.locator("#id_endpoint").fill(media.url)
    page.locator("#id_api_key").fill(media.key)
    page.locator("#id_api_secret").fill(media.secret)
    page.locator("#id_soft_connection_limit").fill("100")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(messages(page)).to_contain_text("It answers")
    expect(messages(page)).to_contain_text("It accepts the API key, and has 0 rooms.")
    expect(messages(page)).to_contain_text(f"{empty.url}/webhooks/livekit/us-west/a")
    expect(page.locator("#result_list")).to_contain_text("up")

    # Somebody talks there.
    town = Town(empty.url, rtc)
    town.alice.join(town.voice)
    soon(lambda: town.states(town.voice)[0]["joined_at"])
    page.goto(f"{empty.url}/admin/")
    expect(page.get_by_role("heading", name=re.compile("^Voice (is well|works)"))).to_be_visible()
    expect(page.get_by_label("US West: up, 1 / 100 connections")).to_be_visible()

    # The server is drained, from its own page.
    page.get_by_role("link", name="us-west/a").first.click()
    page.get_by_role("button", name="Drain").click()
    expect(page.locator(".voice-question")).to_contain_text("Nobody is disconnected")
    page.get_by_role("button", name="Yes: drain").click()
    expect(messages(page)).to_contain_text("takes no new rooms any more")
    assert len(town.room(town.voice)) == 1
    assert town.bob.ask(town.lounge).status == 503

    # The room is ended, from the list: the client is out.
    page.goto(f"{empty.url}/admin/voice/roompin/")
    page.locator("#result_list input.action-select").first.check()
    page.get_by_label("Action:").select_option("disconnect_everyone")
    page.get_by_role("button", name="Go", exact=False).click()
    expect(page.locator(".voice-question")).to_contain_text("This puts 1 person out of 1 room")
    page.get_by_role("button", name="Yes: disconnect everyone").click()
    expect(messages(page)).to_contain_text("1 connection ended")
    soon(lambda: not town.room(town.voice))
    town.alice.client.wait_for("disconnected")
    assert town.alice.state().status == 404

    # Who may only look finds nothing to press.
    vera = sign_in("vera")
    vera.goto(f"{empty.url}/admin/voice/roompin/")
    expect(vera.locator("#changelist")).to_be_visible()
    assert vera.locator("select[name=action]").count() == 0
    vera.goto(f"{empty.url}/admin/regions/server/")
    vera.get_by_role("link", name="us-west/a").click()
    assert vera.get_by_role("button", name="Restore").count() == 0
    assert vera.get_by_role("button", name="Save").count() == 0
    assert media.secret not in vera.content()


def test_the_dashboard_in_the_light_in_the_dark_and_on_a_phone(
    sign_in: Callable[..., Page],
    empty: Product,
    livekit_servers: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """`PICTURES=docs` keeps the pictures there."""
    directory = Path(os.environ.get("PICTURES") or tmp_path)
    media = [livekit_servers(f"{empty.url}/webhooks/livekit/us-east/a") for _ in range(5)]
    known = [(one.url, one.key, one.secret) for one in media]
    empty.manage("shell", "--command", BUSY.format(media=known))
    light = sign_in("vera")
    expect(light.get_by_label("Frankfurt: strained")).to_be_visible()
    browsers.picture(light, path=directory / "dashboard.png")
    dark = sign_in("vera", color_scheme="dark")
    browsers.picture(dark, path=directory / "dashboard-dark.png")
    background = "getComputedStyle(document.body).backgroundColor"
    assert light.evaluate(background) != dark.evaluate(background)
    phone = sign_in("vera", viewport={"width": 390, "height": 844}, has_touch=True)
    browsers.picture(phone, path=directory / "dashboard-phone.png", full_page=True)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    reached = []
    for _ in range(40):
        light.keyboard.press("Tab")
        reached.append(light.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert any("Frankfurt" in (label or "") for label in reached)


def test_who_is_no_staff_never_gets_in(sign_in: Callable[..., Page]) -> None:
    page = sign_in("petra")
    expect(page.locator(".errornote")).to_contain_text("staff account")
