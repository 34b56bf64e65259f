"""Nothing inline and nothing from elsewhere runs on any page for staff, errors included."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.admin import pages
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene

INLINE = re.compile(r"<script(?![^>]* src=)[^>]*>\s*\S|<style|\son\w+=\"|\sstyle=\"|javascript:")


def guarded(answer: Any) -> None:
    rules = dict(rule.split(" ", 1) for rule in answer["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
    if answer["Content-Type"].startswith("text/html"):
        assert INLINE.findall(answer.content.decode()) == []


def test_every_page_of_staff_has_it_and_works_under_it(root: Client, west: FakeLiveKit) -> None:
    scene.seat(scene.ALICE)
    for page in pages.every(root):
        answer = root.get(page)
        assert answer.status_code in (200, 403), page
        guarded(answer)
    guarded(root.post("/admin/logout/"))


def test_strangers_have_it_too(db: None) -> None:
    for page in ("/admin/", "/admin/login/", "/admin/nowhere/"):
        guarded(Client().get(page))


def test_errors_have_it(root: Client, vera: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = root.get("/admin/regions/nothing/1/2/3")
    refused = vera.get("/admin/regions/server/add/")
    forged = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "root"})
    unknown = root.get("/admin/", headers={"host": "evil.example"})
    monkeypatch.setattr("voice.admin.places.VoiceRegionAdmin.get_queryset", None)
    root.raise_request_exception = False
    broken = root.get("/admin/regions/region/")
    seen = [missing, refused, forged, unknown, broken]
    assert [answer.status_code for answer in seen] == [404, 403, 403, 400, 500]
    for answer in seen:
        guarded(answer)
    assert "load the page again" in pages.text(forged)


def test_a_page_that_sets_its_own_keeps_it(client: Client) -> None:
    assert "form-action 'none'" in client.get("/docs")["Content-Security-Policy"]
