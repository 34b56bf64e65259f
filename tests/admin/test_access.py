"""Staff see what they may see; nobody else gets in."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from regions.models import Server
from tests.admin import pages
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene


def test_nobody_gets_in_without_being_staff(west: FakeLiveKit) -> None:
    person = User.objects.create_user("petra", password="x")
    stranger, signed_in, chatter = Client(), Client(), Client()
    signed_in.force_login(person)
    chatter.defaults["HTTP_AUTHORIZATION"] = scene.bearer(scene.ALICE)
    for page in pages.every(stranger):
        for client in (stranger, signed_in, chatter):
            answer = client.get(page)
            assert answer.status_code == 302, page
            assert answer["Location"].startswith("/admin/login/"), page


def test_staff_without_a_permission_see_no_voice(db: None) -> None:
    user = User.objects.create_user("newcomer", is_staff=True)
    client = Client()
    client.force_login(user)
    assert "voice-dashboard" not in client.get("/admin/").content.decode()
    assert client.get("/admin/voice/voicestate/").status_code == 403


def test_every_page_opens_for_root(root: Client, west: FakeLiveKit, east: FakeLiveKit) -> None:
    scene.seat(scene.ALICE)
    for page in pages.every(root):
        assert root.get(page).status_code in (200, 403), page  # 403: nothing to add or delete


def test_who_may_only_look_changes_nothing(vera: Client, west: FakeLiveKit) -> None:
    server = Server.objects.get()
    state = scene.seat(scene.ALICE, server=server, is_joined=True)
    before = scene.written()
    for model in pages.models():
        assert 'name="action"' not in vera.get(pages.address(model)).content.decode()
        assert vera.get(f"{pages.address(model)}add/").status_code == 403
    pages.do(vera, type(state), "disconnect", state)
    for action in ("drain", "move_off"):
        pages.do(vera, Server, action, server)
    server.refresh_from_db()
    assert not server.is_draining
    assert scene.written() == before


@pytest.mark.parametrize("name", ["olaf", "mona"])
def test_a_permission_is_for_what_it_says(
    name: str, request: pytest.FixtureRequest, west: FakeLiveKit
) -> None:
    client: Client = request.getfixturevalue(name)
    servers = client.get("/admin/regions/server/").content.decode()
    states = client.get("/admin/voice/voicestate/").content.decode()
    assert ('value="drain"' in servers) == (name == "olaf")
    assert 'value="move_off"' not in servers  # needs both
    assert ('value="disconnect"' in states) == (name == "mona")
