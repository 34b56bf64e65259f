"""The first page says whether voice is well, where, and what to do first."""

import re
from datetime import timedelta
from html import unescape
from itertools import pairwise

import pytest
from django.test import Client
from django.utils import timezone

from regions.models import Region, Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.regions.scene import MACHINE
from tests.voice import scene
from voice import atlas, curve, participants, samples, tasks
from voice.audit import SERVICE
from voice.figures import RegionFigures, ServerFigures
from voice.models import Sample


def first_page(client: Client) -> str:
    return pages.text(client.get("/admin/"))


def test_with_nothing_it_says_what_to_do_first(root: Client) -> None:
    scene.beating(silent=("beat",), since=90)
    html = root.get("/admin/").content.decode()
    assert "First steps" in html
    assert 'href="/admin/regions/region/add/"' in html
    assert "There is no voice region: nobody can join voice." in html
    assert "beat has not been heard of since" in html


def test_steps_are_ticked_off(root: Client) -> None:
    Region.objects.create(pk="us-west", name="US West")
    page = first_page(root)
    assert "✓ Add a region" in page
    assert "✓ Add a LiveKit server" not in page


def test_once_a_server_works_the_steps_are_gone(root: Client, west: FakeLiveKit) -> None:
    scene.beating()
    Server.objects.update(probed_at=timezone.now())
    page = first_page(root)
    assert "First steps" not in page
    assert "Voice is well" in page


def test_it_counts_who_is_in_and_shows_the_region_on_the_map(
    root: Client, west: FakeLiveKit
) -> None:
    server = Server.objects.get()
    scene.seat(scene.ALICE, server=server, is_joined=True)
    scene.seat(scene.BOB, server=server)
    html = root.get("/admin/").content.decode()
    assert "Us-West: up, 2 connections, 1 of 1 servers take new rooms" in html
    assert 'cx="57.3" cy="34.5"' in html
    assert "Connected 1 Seats reserved 1 Rooms 1" in first_page(root)


def test_what_is_wrong_comes_with_the_link_that_mends_it(root: Client, west: FakeLiveKit) -> None:
    server = Server.objects.get()
    Server.objects.update(down_since=timezone.now(), probed_at=timezone.now(), last_error="refused")
    html = root.get("/admin/").content.decode()
    assert "us-west/us-west-1 is down since" in html
    assert f'href="/admin/regions/server/{server.pk}/change/"' in html


def test_no_link_leads_where_one_may_not_go(west: FakeLiveKit) -> None:
    client = signed_in("sam", "regions.view_server")
    Region.objects.update(is_default=False)
    html = client.get("/admin/").content.decode()
    assert "No region is the default" in html
    assert "/admin/regions/region/" not in html


@pytest.mark.parametrize("codename", ["regions.view_server", "view", "regions.change_server"])
def test_every_link_opens(db: None, codename: str) -> None:
    client = signed_in("sam", codename)

    def links() -> int:
        html = client.get("/admin/").content.decode()
        found = set(re.findall(r'href="(/admin/[^"]*)"', html[html.index("voice-dashboard") :]))
        for link in found:
            assert client.get(unescape(link)).status_code == 200, link
        return len(found)

    assert links()  # nothing is there yet
    nowhere = Region.objects.create(pk="nowhere", name="Nowhere")
    links()
    Server.objects.create(region=nowhere, slug="a", **MACHINE)
    for n in range(4):  # in one place: not all have room for a name
        Region.objects.create(pk=f"here-{n}", name="Here", latitude=1, longitude=1)
    links()
    Server.objects.update(down_since=timezone.now(), probed_at=timezone.now())
    assert links()


def test_nothing_is_inline_that_a_policy_would_forbid(root: Client, west: FakeLiveKit) -> None:
    scene.seat(scene.ALICE, server=Server.objects.get())
    html = root.get("/admin/").content.decode()
    assert " style=" not in html
    assert " onclick=" not in html
    assert "<script>" not in html
    assert "<style" not in html


def test_a_sample_is_taken_once_a_minute_and_kept_a_day(west: FakeLiveKit) -> None:
    server, now = Server.objects.get(), timezone.now()
    scene.seat(scene.ALICE, server=server, is_joined=True)
    Sample.objects.create(minute=now - timedelta(hours=25))
    tasks.tidy()
    assert not samples.take(now=timezone.now()) or Sample.objects.count() == 2
    sample = Sample.objects.latest("minute")
    assert (sample.connected, sample.seats, sample.rooms) == (1, 0, 1)
    assert not Sample.objects.filter(minute__lt=now - timedelta(hours=24)).exists()


def test_strangers_are_counted_and_those_whom_we_put_out_are_not(west: FakeLiveKit) -> None:
    now = timezone.now()
    state = scene.seat(scene.ALICE, server=Server.objects.get(), is_joined=True)
    identity = f"user_1_{state.pk}"
    assert not samples.stranger_removed(identity=identity, now=now)  # of another server's room
    participants.disconnect_channel(channel_id=scene.VOICE, by=SERVICE)
    assert not samples.stranger_removed(identity=identity, now=now)
    assert samples.stranger_removed(identity="user_1_conn_unknown", now=now)
    assert samples.stranger_removed(identity="somebody", now=now)
    assert samples.strangers_of_the_last_hour(now=now) == 2
    samples.take(now=now)
    assert samples.strangers_of_the_last_hour(now=now) == 2


def test_the_curve_breaks_where_nobody_counted() -> None:
    now = timezone.now()
    drawn = curve.curve(
        [(now - timedelta(minutes=m), n) for m, n in ((60, 1), (59, 4), (2, 2), (1, 0))], now=now
    )
    assert drawn is not None
    assert drawn.path.count("M") == 2
    assert drawn.words == "Connected in the last 24 hours: at most 4, now 0."
    assert curve.curve([], now=now) is None


def region(pk: str, latitude: float | None, longitude: float | None) -> RegionFigures:
    return RegionFigures(pk, pk, False, latitude, longitude)


def server(region_id: str, **fields: object) -> ServerFigures:
    values = {
        "pk": 1,
        "region_id": region_id,
        "id": "a",
        "is_active": True,
        "is_draining": False,
        "soft_connection_limit": 2,
        "state": "up",
        "since": None,
        "added_at": timezone.now(),
        "probed_at": None,
        "probe_ms": None,
        "last_error": "",
        "webhook_at": None,
        "swept_at": None,
        **fields,
    }
    return ServerFigures(**values)  # type: ignore[arg-type]


def test_labels_do_not_cover_each_other() -> None:
    close = [region(f"region-{n}", 50 + n / 10, 8 + n / 10) for n in range(6)]
    drawn = atlas.draw(close, [])
    for anchor in ("start", "end"):
        heights = sorted(spot.label_y for spot in drawn.spots if spot.anchor == anchor)
        assert all(below - above >= 2 * atlas.LINE for above, below in pairwise(heights))
    far_east = atlas.draw([region("fiji", -18, 178)], []).spots[0]
    assert far_east.anchor == "end"


def test_of_many_in_one_place_the_worst_is_seen_and_named_and_nobody_is_left_out() -> None:
    crowd = [region(f"a-region-with-a-name-that-is-long-{n}", 50, 8) for n in range(20)]
    far_off = [region("fiji", -17, 179.9), region("pole", 89, -180)]
    ill = server(crowd[7].id, state="down")
    drawn = atlas.draw([*crowd, *far_off], [ill, *(server(r.id) for r in crowd)])
    named = [spot for spot in drawn.spots if spot.label_x is not None]
    last = drawn.spots[-1]
    assert (last.region_id, last.kind) == (crowd[7].id, "strained")
    assert last in named
    assert len(named) + len(drawn.unnamed) == len(drawn.spots) == 22
    assert {"fiji", "pole"} <= {spot.region_id for spot in named}
    for spot in named:
        assert 0 < spot.label_y < atlas.HEIGHT
        assert abs(spot.label_y - (spot.y or 0)) <= atlas.AWAY + atlas.LINE
        assert len(spot.short) <= atlas.LONGEST
    for spot in drawn.spots:
        assert spot.radius <= (spot.x or 0) <= atlas.WIDTH - spot.radius
        assert spot.radius <= (spot.y or 0) <= atlas.HEIGHT - spot.radius


def test_a_region_is_what_its_servers_are() -> None:
    def kind(*servers: ServerFigures) -> str:
        return atlas.draw([region("r", 0, 0)], servers).spots[0].kind

    assert kind() == "out"
    assert kind(server("r")) == "up"
    assert kind(server("r", state="down")) == "down"
    assert kind(server("r", is_draining=True)) == "drained"
    assert kind(server("r"), server("r", state="down")) == "strained"
    assert kind(server("r", connected=3)) == "busy"
    assert atlas.draw([region("r", None, None)], []).elsewhere[0].region_id == "r"
