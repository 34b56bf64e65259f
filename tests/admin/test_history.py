"""What staff did stays findable, whatever becomes of it and of them."""

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User as Staff
from django.test import Client

from regions.models import Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from voice.models import VoiceState


def test_what_was_done_to_a_connection_that_is_gone_is_found(
    root: Client, mona: Client, vera: Client, west: FakeLiveKit
) -> None:
    state = scene.seat(scene.ALICE, server=Server.objects.get(), is_joined=True)
    pages.do(mona, VoiceState, "disconnect", state)
    assert not VoiceState.objects.exists()
    for client in (root, vera):
        for searched in (state.pk, "mona", "alice"):
            page = pages.text(client.get("/admin/admin/logentry/", {"q": searched}))
            assert "Disconnect: alice (1) is out" in page, searched
        entry = LogEntry.objects.get()
        opened = client.get(f"/admin/admin/logentry/{entry.pk}/change/")
        assert "Disconnect: alice (1) is out" in pages.text(opened)
        assert client.post(f"/admin/admin/logentry/{entry.pk}/delete/").status_code == 403
    assert "0 log entries" in pages.text(root.get("/admin/admin/logentry/?q=nobody"))


def test_who_did_something_is_not_deleted_but_made_inactive(root: Client, db: None) -> None:
    oscar = signed_in("oscar", "directory.add_user")
    oscar.post("/admin/directory/user/add/", {"id": "77", "username": "ulla"})
    account = Staff.objects.get(username="oscar")
    page = f"{pages.address(Staff)}{account.pk}/delete/"
    words = "1 entry of the admin's history. They stay: make the account inactive instead."
    assert words in pages.text(root.get(page))
    assert words in pages.text(root.post(page, {"post": "yes"}))
    assert LogEntry.objects.get().user == account


def test_an_account_that_did_nothing_is_deleted(root: Client, vera: Client) -> None:
    page = f"{pages.address(Staff)}{Staff.objects.get(username='vera').pk}/delete/"
    assert "was deleted successfully" in pages.text(root.post(page, {"post": "yes"}, follow=True))
    assert not Staff.objects.filter(username="vera").exists()


def test_the_address_without_its_slash_leads_there(root: Client) -> None:
    answer = root.get("/admin")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
