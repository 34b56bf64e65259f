"""A form writes what was changed in it, and says in words what is wrong."""

import time

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client

from fluxer.directory import members
from fluxer.directory.models import Channel, Member, Role, User
from regions import servers
from regions.models import Region, Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.races import Rival
from voice.models import AuditEntry


def test_a_form_that_was_open_meanwhile_does_not_undo_a_mute(
    root: Client, west: FakeLiveKit
) -> None:
    member = Member.objects.get(user=scene.BOB)
    form = pages.opened(root, pages.page_of(member))
    members.change(guild_id=member.guild_id, user_id=member.user_id, mute=True)
    pages.send(root, pages.page_of(member), form, nick="bobby")
    member.refresh_from_db()
    assert (member.mute, member.nick) == (True, "bobby")
    assert LogEntry.objects.get().get_change_message() == "Changed Nick."


def test_unticking_is_a_change(root: Client, west: FakeLiveKit) -> None:
    Member.objects.filter(user=scene.BOB).update(mute=True)
    member = Member.objects.get(user=scene.BOB)
    pages.send(root, pages.page_of(member), pages.opened(root, pages.page_of(member)), mute=None)
    member.refresh_from_db()
    assert not member.mute
    assert AuditEntry.objects.get().action == "unmute"


@pytest.mark.parametrize("on", ["server", "region"])
def test_a_form_that_was_open_meanwhile_does_not_end_a_drain_or_move_a_server(
    on: str, root: Client, west: FakeLiveKit
) -> None:
    server = Server.objects.get()
    page, prefix = pages.form_of(server, on)
    form = pages.opened(root, page)
    url, secret = "http://127.0.0.1:9", "n" * 32
    now = {"is_draining": True, "api_url": url, "api_secret": secret}
    servers.change(region_id=server.region_id, server_id=server.slug, **now)
    pages.send(root, page, form, **{f"{prefix}soft_connection_limit": "7"})
    server.refresh_from_db()
    assert (server.soft_connection_limit, server.is_draining) == (7, True)
    assert (server.api_url, server.api_secret) == (url, secret)


@pytest.mark.parametrize("on", ["server", "region"])
@pytest.mark.parametrize(("was", "now"), [(None, 7), (7, None), (7, 9)])
def test_nor_does_it_undo_a_soft_limit(
    on: str, was: int | None, now: int | None, root: Client, west: FakeLiveKit
) -> None:
    Server.objects.update(soft_connection_limit=was)
    server = Server.objects.get()
    page, prefix = pages.form_of(server, on)
    form = pages.opened(root, page)
    servers.change(region_id=server.region_id, server_id=server.slug, soft_connection_limit=now)
    pages.send(root, page, form, **{f"{prefix}is_draining": "on"})
    server.refresh_from_db()
    assert (server.soft_connection_limit, server.is_draining) == (now, True)


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


BREAKING: dict[str, list[tuple[type[Model], dict[str, str]]]] = {
    "channel_of_guild_or_call": [
        (Channel, {"type": "2", "guild": ""}),
        (Channel, {"type": "1", "guild": str(scene.GUILD)}),
        (Channel, {"type": "x", "guild": ""}),
    ],
    "channel_bitrate_in_range": [(Channel, {"bitrate": "1"})],
    "channel_user_limit_in_range": [(Channel, {"user_limit": "100"})],
    "channel_voice_connection_limit_in_range": [(Channel, {"voice_connection_limit": "0"})],
    "role_mask_not_negative": [(Role, {"permissions": "-1"})],
    "member_once_a_guild": [(Member, {"guild": str(scene.GUILD), "user": str(scene.BOB)})],
    "region_id_form": [(Region, {"id": "US West"})],
    "region_coordinates_in_pairs": [
        (Region, {"latitude": "91", "longitude": "0"}),
        (Region, {"latitude": "nan", "longitude": "0"}),
        (Region, {"latitude": "0", "longitude": "-181"}),
    ],
    "server_once_a_region": [(Server, {"region": "us-west", "slug": "us-west-1"})],
    "server_id_form": [(Server, {"slug": "A"})],
    "server_endpoint_form": [(Server, {"endpoint": "ws://"}), (Server, {"endpoint": "ws://a b"})],
    "server_api_url_form": [(Server, {"api_url": "x"}), (Server, {"api_url": "http://a/?b"})],
    "server_soft_limit_positive": [(Server, {"soft_connection_limit": "0"})],
}
VALID: dict[type[Model], dict[str, str]] = {
    Channel: {"id": "900", "type": "2", "guild": str(scene.GUILD)},
    Role: {"id": "900", "guild": str(scene.GUILD), "name": "r"},
    Member: {"guild": str(scene.GUILD), "user": str(scene.ALICE)},
    Region: {"id": "north", "name": "North"},
    Server: {"region": "us-west", "slug": "new", "endpoint": "ws://127.0.0.1:9", "api_key": "k",
             "api_secret": "s" * 32},
}  # fmt: skip


def test_every_constraint_of_a_form_is_tried() -> None:
    named = {rule.name for model in pages.models() for rule in model._meta.constraints}
    # A flag that moves, and rows that are only looked at.
    named -= {"region_one_default", "due_room_once", "state_once_a_session", "state_seat_or_joined"}
    assert named == set(BREAKING)


@pytest.mark.parametrize("constraint", BREAKING)
def test_no_form_names_a_constraint(root: Client, west: FakeLiveKit, constraint: str) -> None:
    for model, fields in BREAKING[constraint]:
        page = f"{pages.address(model)}add/"
        form = {**pages.opened(root, page), **VALID[model]}
        answer = pages.send(root, page, form, **fields)
        assert "Please correct the error" in pages.text(answer), fields
        assert "onstraint" not in pages.text(answer), fields
        wrong = set(answer.context["adminform"].form.errors)
        assert wrong & {*fields, "__all__"}, (fields, wrong)
        assert wrong <= {*fields, "__all__"}, (fields, wrong)


@pytest.mark.parametrize("constraint", [name for name in BREAKING if name.startswith("server")])
def test_nor_does_the_form_of_a_server_on_the_page_of_its_region(
    root: Client, west: FakeLiveKit, constraint: str
) -> None:
    page = pages.page_of(Region.objects.get())
    for _, fields in BREAKING[constraint]:
        new = {f"servers-1-{name}": value for name, value in {**VALID[Server], **fields}.items()}
        form = {**pages.opened(root, page), "servers-TOTAL_FORMS": "2"}
        told = pages.text(pages.send(root, page, form, **new))
        assert "Please correct the error" in told, fields
        assert "onstraint" not in told, fields


@pytest.mark.parametrize(
    ("kind", "guild", "words"),
    [
        ("2", "", "This type of channel needs a guild"),
        ("1", str(scene.GUILD), "A DM belongs to no guild"),
    ],
)
def test_whose_a_new_channel_is_is_said_at_its_guild(
    root: Client, stage: None, kind: str, guild: str, words: str
) -> None:
    page = "/admin/directory/channel/add/"
    new = {"id": "900", "type": kind, "guild": guild}
    answer = pages.send(root, page, {**pages.opened(root, page), **new})
    assert dict(answer.context["adminform"].form.errors) == {"guild": [words]}


def test_a_server_that_is_added_on_the_page_of_its_region_is_told_of_too(
    root: Client, livekit: FakeLiveKit
) -> None:
    region = Region.objects.create(pk="us-west", name="US West")
    form = pages.opened(root, pages.page_of(region))
    new = {"slug": "a", "endpoint": livekit.url, "api_key": livekit.key, "is_active": "on",
           "api_secret": livekit.secret}  # fmt: skip
    fields = {f"servers-0-{name}": value for name, value in new.items()}
    told = pages.text(
        pages.send(root, pages.page_of(region), form, **{**fields, "servers-TOTAL_FORMS": "1"})
    )
    assert "http://testserver/webhooks/livekit/us-west/a" in told
    assert "Tried us-west/a: It answers" in told
    assert "It accepts the API key" in told


def test_of_a_region_with_a_server_that_is_refused_nothing_is_saved_or_tried(
    root: Client, west: FakeLiveKit
) -> None:
    server = Server.objects.get()
    form = pages.opened(root, pages.page_of(server.region))
    new = {**VALID[Server], "endpoint": server.endpoint}
    fields = {f"servers-1-{name}": value for name, value in new.items()}
    told = pages.text(
        pages.send(
            root,
            pages.page_of(server.region),
            {**form, **fields, "servers-TOTAL_FORMS": "2"},
            **{"servers-0-api_secret": "n" * 32},
        )
    )
    assert "this address is that of us-west/us-west-1" in told
    assert "Tried" not in told
    assert Server.objects.get().api_secret == server.api_secret


@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_the_same_one_is_told(stage: None) -> None:
    root = signed_in("root", is_superuser=True)
    page = f"{pages.address(User)}add/"
    form = {**pages.opened(root, page), "id": "900", "username": "second"}
    rival = Rival(lambda: pages.text(pages.send(root, page, form)))
    with transaction.atomic():
        User.objects.create(pk=900, username="first")
        rival.let_in(moment=0)
        until = time.monotonic() + 10
        while not somebody_waits():
            assert time.monotonic() < until
            time.sleep(0.02)
    assert "Somebody else has just added this; open it to change it" in rival.finish()
    assert User.objects.get(pk=900).username == "first"


def somebody_waits() -> bool:
    """For a lock of this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees one moment
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone() is not None


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
