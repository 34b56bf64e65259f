"""A form writes what was changed in it, and says in words what is wrong."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from fluxer.directory import members
from fluxer.directory.models import Member, User
from regions import servers
from regions.models import Region, Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from voice.models import AuditEntry


def page_of(row: Member | Server | Region) -> str:
    return f"{pages.address(type(row))}{row.pk}/change/"


def test_a_form_that_was_open_meanwhile_does_not_undo_a_mute(
    root: Client, west: FakeLiveKit
) -> None:
    member = Member.objects.get(user=scene.BOB)
    form = pages.opened(root, page_of(member))
    members.change(guild_id=member.guild_id, user_id=member.user_id, mute=True)
    pages.send(root, page_of(member), form, nick="bobby")
    member.refresh_from_db()
    assert (member.mute, member.nick) == (True, "bobby")
    assert LogEntry.objects.get().get_change_message() == "Changed Nick."


def test_unticking_is_a_change(root: Client, west: FakeLiveKit) -> None:
    Member.objects.filter(user=scene.BOB).update(mute=True)
    member = Member.objects.get(user=scene.BOB)
    pages.send(root, page_of(member), pages.opened(root, page_of(member)), mute=None)
    member.refresh_from_db()
    assert not member.mute
    assert AuditEntry.objects.get().action == "unmute"


@pytest.mark.parametrize("on", ["server", "region"])
def test_a_form_that_was_open_meanwhile_does_not_end_a_drain_or_move_a_server(
    on: str, root: Client, west: FakeLiveKit
) -> None:
    server = Server.objects.get()
    page, prefix = page_of(server), ""
    if on == "region":
        page, prefix = page_of(server.region), "servers-0-"
    form = pages.opened(root, page)
    url, secret = "http://127.0.0.1:9", "n" * 32
    now = {"is_draining": True, "api_url": url, "api_secret": secret}
    servers.change(region_id=server.region_id, server_id=server.slug, **now)
    pages.send(root, page, form, **{f"{prefix}soft_connection_limit": "7"})
    server.refresh_from_db()
    assert (server.soft_connection_limit, server.is_draining) == (7, True)
    assert (server.api_url, server.api_secret) == (url, secret)


def test_to_send_every_form_unchanged_writes_nothing(root: Client, west: FakeLiveKit) -> None:
    scene.seat(scene.ALICE)
    for model in pages.models():
        row = model._default_manager.first()
        page = f"{pages.address(model)}{row.pk if row else 0}/change/"
        if row is None or "_save" not in root.get(page).content.decode():
            continue
        told = pages.text(pages.send(root, page, pages.opened(root, page)))
        assert "was changed successfully" in told, page
    assert set(LogEntry.objects.values_list("change_message", flat=True)) == {"[]"}
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("given", "missing"), [("latitude", "longitude"), ("longitude", "latitude")]
)
def test_half_a_place_is_said_at_the_other_half(root: Client, given: str, missing: str) -> None:
    form = {"id": "us-west", "name": "US West", given: "45", "servers-TOTAL_FORMS": "0",
            "servers-INITIAL_FORMS": "0"}  # fmt: skip
    answer = root.post("/admin/regions/region/add/", form)
    form_of = answer.context["adminform"].form
    assert dict(form_of.errors) == {missing: ["Give both coordinates, or neither."]}


def test_no_form_names_a_constraint(root: Client, west: FakeLiveKit) -> None:
    server = Server.objects.get()
    for fields in ({"soft_connection_limit": "0"}, {"endpoint": "ws://"}, {"api_url": "x"}):
        form = pages.opened(root, page_of(server))
        told = pages.text(pages.send(root, page_of(server), form, **fields))
        assert "Please correct the error" in told, fields
        assert "onstraint" not in told, fields


def test_a_server_that_is_added_on_the_page_of_its_region_is_told_of_too(
    root: Client, livekit: FakeLiveKit
) -> None:
    region = Region.objects.create(pk="us-west", name="US West")
    form = pages.opened(root, page_of(region))
    new = {"slug": "a", "endpoint": livekit.url, "api_key": livekit.key, "is_active": "on",
           "api_secret": livekit.secret}  # fmt: skip
    fields = {f"servers-0-{name}": value for name, value in new.items()}
    told = pages.text(
        pages.send(root, page_of(region), form, **{**fields, "servers-TOTAL_FORMS": "1"})
    )
    assert "http://testserver/webhooks/livekit/us-west/a" in told
    assert "Tried us-west/a: It answers" in told
    assert "It accepts the API key" in told


def test_who_may_only_add_adds(db: None, livekit: FakeLiveKit) -> None:
    ada = signed_in("ada", "regions.add_region", "regions.add_server", "directory.add_user")
    for page, fields in (
        ("regions/region", {"id": "us-west", "name": "US West", "servers-TOTAL_FORMS": "0",
                            "servers-INITIAL_FORMS": "0"}),
        ("regions/server", {"region": "us-west", "slug": "a", "endpoint": livekit.url,
                            "api_key": livekit.key, "api_secret": livekit.secret}),
        ("directory/user", {"id": "77", "username": "ulla", "flags": "0"}),
    ):  # fmt: skip
        answer = ada.post(f"/admin/{page}/add/", fields, follow=True)
        assert answer.status_code == 200
        assert "was added successfully" in pages.text(answer), page
    assert Server.objects.get().region_id == "us-west"
    assert User.objects.filter(pk=77).exists()
