"""To make a server inactive moves who is on it, so it takes what moving them off does."""

import pytest
from django.test import Client
from django.utils import timezone

from regions.models import Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from voice import pins
from voice.models import AuditEntry

ON = pytest.mark.parametrize("on", ["server", "region"])


def untick(client: Client, on: str, **fields: str) -> str:
    """What the page says when the box is unticked, and these fields are changed."""
    page, prefix = pages.form_of(Server.objects.get(), on)
    changed = {f"{prefix}{name}": value for name, value in fields.items()}
    form = pages.opened(client, page)
    return pages.text(pages.send(client, page, form, **changed, **{f"{prefix}is_active": None}))


def is_active() -> bool:
    return Server.objects.get().is_active


def occupied() -> Server:
    """The server, with alice in a room of it."""
    server, now = Server.objects.get(), timezone.now()
    pins.pin(channel_id=scene.VOICE, server_id=server.pk, made_at=now, now=now)
    scene.seat(scene.ALICE, server=server, is_joined=True)
    return server


@ON
def test_who_does_not_moderate_switches_off_no_server_with_people(
    on: str, olaf: Client, west: FakeLiveKit
) -> None:
    occupied()
    told = untick(olaf, on)
    assert "us-west/us-west-1 has 1 room and 1 person on it" in told
    assert "takes the permission to moderate voice" in told
    assert is_active()
    assert not AuditEntry.objects.exists()


@ON
@pytest.mark.parametrize("what", ["pin", "seat"])
def test_nor_one_with_a_room_or_a_seat_alone(
    on: str, what: str, olaf: Client, west: FakeLiveKit
) -> None:
    server, now = Server.objects.get(), timezone.now()
    if what == "pin":
        pins.pin(channel_id=scene.VOICE, server_id=server.pk, made_at=now, now=now)
    else:
        scene.seat(scene.ALICE, server=server)
    assert "takes the permission to moderate voice" in untick(olaf, on)
    assert is_active()


@ON
def test_who_may_is_remembered_with_what_was_on_it(on: str, west: FakeLiveKit) -> None:
    occupied()
    both = signed_in(
        "both", "view", "voice.moderate", "regions.change_server", "regions.change_region"
    )
    assert "was changed successfully" in untick(both, on)
    assert not is_active()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.guild_id) == ("staff both", "switch_off", None)
    assert entry.reason == "us-west/us-west-1: 1 room and 1 person"


@ON
def test_what_is_refused_for_another_reason_is_not_remembered(
    on: str, root: Client, west: FakeLiveKit
) -> None:
    occupied()
    new = {"endpoint": "ws://127.0.0.1:9", "api_url": "http://127.0.0.1:9", "api_secret": "n" * 32}
    assert "drain it first, and then change where it is" in untick(root, on, **new)
    assert is_active()
    assert not AuditEntry.objects.exists()


@ON
def test_an_empty_server_is_switched_off_by_who_may_change_it(
    on: str, olaf: Client, west: FakeLiveKit
) -> None:
    untick(olaf, on)
    assert not is_active()
    assert not AuditEntry.objects.exists()


@ON
def test_whatever_else_is_changed_of_a_server_with_people_moves_nobody(
    on: str, olaf: Client, west: FakeLiveKit
) -> None:
    server = occupied()
    page, prefix = pages.form_of(server, on)
    pages.send(olaf, page, pages.opened(olaf, page), **{f"{prefix}soft_connection_limit": "7"})
    Server.objects.update(is_active=False)
    pages.send(olaf, page, pages.opened(olaf, page), **{f"{prefix}is_active": "on"})
    server.refresh_from_db()
    assert (server.soft_connection_limit, server.is_active) == (7, True)
    assert not AuditEntry.objects.exists()


@ON
def test_the_form_says_what_it_does(on: str, olaf: Client, west: FakeLiveKit) -> None:
    page, _ = pages.form_of(Server.objects.get(), on)
    assert "Each room that is here moves with the next token for it" in pages.text(olaf.get(page))
