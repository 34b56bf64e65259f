"""Staff keep regions and servers; the secret goes in and never comes out."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User as Staff
from django.test import Client

from regions.admin.regions import IN_FORM
from regions.models import Region, Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.regions.scene import SECRET, region, server

# Nobody answers there: a server that is saved is tried at once.
MACHINE = {
    "endpoint": "ws://127.0.0.1:9",
    "api_url": "http://127.0.0.1:9",
    "api_key": "key-1",
    "api_secret": SECRET,
}


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(Staff.objects.create_superuser("staff", password="x"))
    return client


def form(**fields: Any) -> dict[str, Any]:
    return {
        "endpoint": MACHINE["endpoint"],
        "api_url": MACHINE["api_url"],
        "api_key": MACHINE["api_key"],
        "api_secret": "",
        "is_active": "on",
        **fields,
    }


def post(staff: Client, row: Server, **fields: Any) -> Any:
    """The form as a browser sends it, with these fields changed."""
    path = f"/admin/regions/server/{row.pk}/change/"
    return staff.post(path, {**pages.opened(staff, path), **fields})


@pytest.fixture
def row(db: None) -> Server:
    region("us-west")
    return server("us-west", **MACHINE)


def test_the_secret_is_never_shown(staff: Client, row: Server) -> None:
    for path in (
        f"server/{row.pk}/change/", "server/", "region/us-west/change/", "region/",
    ):  # fmt: skip
        page = staff.get(f"/admin/regions/{path}")
        assert page.status_code == 200
        assert SECRET not in page.content.decode()


def test_an_empty_secret_keeps_the_old_one(staff: Client, row: Server) -> None:
    Server.objects.update(failures=1)
    assert post(staff, row, is_draining="on").status_code == 302
    row.refresh_from_db()
    assert (row.is_draining, row.api_secret, row.failures) == (True, SECRET, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "ws://127.0.0.1:10"},
        {"api_url": "http://127.0.0.1:10"},
        {"api_key": "another"},
    ],
)
def test_a_changed_address_asks_for_the_secret(
    staff: Client, row: Server, change: dict[str, str]
) -> None:
    page = post(staff, row, **change)
    assert "needs the secret" in page.content.decode()
    other = "x" * 32
    assert post(staff, row, **change, api_secret=other).status_code == 302
    row.refresh_from_db()
    assert row.api_secret == other


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "https://voice.example.org"},
        {"api_url": "http://169.254.169.254"},
        {"api_secret": "short"},
    ],
)
def test_the_rules_are_those_of_the_api(staff: Client, row: Server, change: Any) -> None:
    secret = {"api_secret": SECRET}
    assert post(staff, row, **{**secret, **change}).status_code == 200
    row.refresh_from_db()
    assert row.endpoint == MACHINE["endpoint"]


def test_a_new_server_needs_its_secret(staff: Client, row: Server) -> None:
    new = form(region="us-west", slug="b")
    assert staff.post("/admin/regions/server/add/", new).status_code == 200
    new["api_secret"] = SECRET
    twice = staff.post("/admin/regions/server/add/", new)
    assert "this address is that of us-west/a." in twice.content.decode()
    new["api_url"] = "http://127.0.0.1:8"
    assert staff.post("/admin/regions/server/add/", new).status_code == 302
    assert Server.objects.get(slug="b").api_secret == SECRET


def test_the_default_flag_moves_and_regions_come_with_their_servers(
    staff: Client, row: Server
) -> None:
    region("old", is_default=True)
    Server.objects.update(failures=1)
    body: dict[str, Any] = {
        "name": "West",
        "is_default": "on",
        "servers-0-is_draining": "on",
    }
    page = "/admin/regions/region/us-west/change/"
    body = {**pages.opened(staff, page), **body}
    answer = staff.post(page, body)
    assert answer.status_code == 302, answer.content.decode()
    assert Region.objects.get(is_default=True).pk == "us-west"
    row.refresh_from_db()
    assert (row.is_draining, row.api_secret, row.failures) == (True, SECRET, 1)
    body = {
        **pages.opened(staff, page),
        "servers-TOTAL_FORMS": "2",
        "servers-1-region": "us-west",
        "servers-1-slug": "b",
        **{
            f"servers-1-{name}": value
            for name, value in form(api_secret=SECRET, api_url="http://127.0.0.1:8").items()
        },
    }
    assert staff.post(page, body).status_code == 302
    assert Server.objects.get(slug="b").region_id == "us-west"


def test_a_server_keeps_its_id_on_the_page_of_its_region(staff: Client, row: Server) -> None:
    page = "/admin/regions/region/us-west/change/"
    assert "Stays: webhooks are addressed by it." in pages.text(staff.get(page))
    renamed = {"servers-0-slug": "renamed", "servers-0-is_draining": "on"}
    answer = staff.post(page, {**pages.opened(staff, page), **renamed})
    assert answer.status_code == 302, answer.content.decode()
    now = Server.objects.get()
    assert (now.slug, now.is_draining) == (row.slug, True)


def more_servers(number: int) -> None:
    """As many more, each at a port of its own."""
    have = Server.objects.count()
    for n in range(have, have + number):
        machine = {**MACHINE, "endpoint": f"ws://127.0.0.1:{9 + n}", "api_url": ""}
        Server.objects.create(region_id="us-west", slug=f"s{n}", **machine)


def test_a_region_with_many_servers_is_saved_and_leads_to_each(staff: Client, row: Server) -> None:
    more_servers(59)
    page = "/admin/regions/region/us-west/change/"
    html = staff.get(page).content.decode()
    for one in Server.objects.all():
        assert f'<a href="/admin/regions/server/{one.pk}/change/">{one.slug}</a>' in html
    answer = pages.send(staff, page, pages.opened(staff, page), name="West")
    assert "was changed successfully" in pages.text(answer)
    assert Region.objects.get().name == "West"


def test_as_many_servers_as_are_in_one_form_can_be_sent(staff: Client, row: Server) -> None:
    more_servers(IN_FORM - 1)
    page = "/admin/regions/region/us-west/change/"
    form = pages.opened(staff, page)
    last = f"servers-{IN_FORM - 1}-"
    assert f"{last}slug" in form
    pages.send(staff, page, form, **{f"{last}is_draining": "on"})
    assert Server.objects.filter(is_draining=True).count() == 1


def test_of_a_form_that_was_open_when_they_became_many_nothing_is_lost(
    staff: Client, row: Server
) -> None:
    more_servers(IN_FORM - 1)
    page = "/admin/regions/region/us-west/change/"
    form = pages.opened(staff, page)
    more_servers(1)
    pages.send(staff, page, form, **{"servers-0-is_draining": "on"})
    row.refresh_from_db()
    assert row.is_draining
    assert "servers-0-slug" not in pages.opened(staff, page)


def test_who_may_see_no_servers_sees_none_of_many(row: Server) -> None:
    more_servers(IN_FORM)
    rita = signed_in("rita", "regions.view_region", "regions.change_region")
    page = rita.get("/admin/regions/region/us-west/change/")
    assert page.status_code == 200
    assert "/admin/regions/server/" not in page.content.decode()


def test_nothing_is_deleted_in_bulk_and_no_server_that_is_in_use(
    staff: Client, row: Server
) -> None:
    page = staff.get("/admin/regions/server/")
    assert "delete_selected" not in page.content.decode()
    page = staff.post("/admin/regions/region/us-west/delete/", {"post": "yes"}, follow=True)
    assert "This region has servers; delete them first" in page.content.decode()
    assert Region.objects.filter(pk="us-west").exists()
