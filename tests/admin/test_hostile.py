"""Whatever is put into addresses, filters, searches and forms: a page or a refusal, never a 500."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client

from regions.models import Server
from tests.admin import pages
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene

VALUES = ("x", "-1", "9" * 40, "9223372036854775808", "a\x00b", "''\"", "_5Fx", "2" * 4000)
PLACES = ("1/2", "%00", "a%00b", "..", "%ff", "x" * 300, "9" * 40)
FILTERS = (
    *("id__exact", "pk__in", "server__id__exact", "server__region__id__exact", "region__id__exact"),
    *("health", "joined_at__isempty", "mute__exact", "type__exact", "is_default__exact", "action"),
    *("q", "p", "o", "all", "e", "_facets", "_popup", "_to_field", "created_at__gte"),
    *("user__password__startswith", "server__api_secret", "no__such__field", "id__regex"),
)


@pytest.fixture
def client(root: Client, west: FakeLiveKit) -> Client:
    """root's, which does not raise; there is a row of most."""
    scene.seat(scene.ALICE, server=Server.objects.get(), is_joined=True)
    Group.objects.create(name="helpers")
    root.raise_request_exception = False
    return root


def lists() -> Iterator[str]:
    yield from (pages.address(model) for model in admin.site._registry)


def failures(answers: Iterator[tuple[Any, Any]]) -> list[Any]:
    """What was asked when the answer was a 500; those that redirect are not followed."""
    found = [asked for asked, answer in answers if answer.status_code >= 500]
    for one in found:
        print("FAILURE", repr(one)[:200])
    return found


def test_filters_orders_pages_and_searches(client: Client) -> None:
    def answers() -> Iterator[tuple[Any, Any]]:
        for number, path in enumerate(lists()):
            for turn, name in enumerate(FILTERS):
                # Every value at every filter of some list, and not all of them everywhere.
                for value in {VALUES[(number + turn) % len(VALUES)], VALUES[turn % len(VALUES)]}:
                    yield (path, name, value), client.get(path, {name: value})

    assert failures(answers()) == []


def test_ids_in_addresses(client: Client) -> None:
    def answers() -> Iterator[tuple[Any, Any]]:
        for path in lists():
            for place in PLACES:
                for page in ("change", "delete", "history", "password"):
                    yield (path, place, page), client.get(f"{path}{place}/{page}/")

    assert failures(answers()) == []


def test_actions(client: Client) -> None:
    def answers() -> Iterator[tuple[Any, Any]]:
        for model, page in admin.site._registry.items():
            for verb in getattr(page, "verbs", ()):
                for value in VALUES:
                    asked = {"action": verb.name, "_selected_action": value}
                    yield (model, asked), client.post(pages.address(model), asked)
                    asked = {**asked, "confirmed": "yes", "region": value}
                    yield (model, asked), client.post(pages.address(model), asked)
            for more in ({"index": "9" * 40}, {"index": "x"}, {"select_across": "x"}):
                asked = {"action": "x\x00", "_selected_action": "1", **more}
                yield (model, asked), client.post(pages.address(model), asked)

    assert failures(answers()) == []


def test_forms(client: Client) -> None:
    def answers() -> Iterator[tuple[Any, Any]]:
        for model in admin.site._registry:
            row = model._default_manager.first()
            names = [field.name for field in model._meta.get_fields()]
            for path in ("add", f"{row.pk}/change" if row else "add"):
                for value in VALUES:
                    asked = {
                        **dict.fromkeys((*names, *(f"initial-{name}" for name in names)), value),
                        "servers-TOTAL_FORMS": "1" if value.isdecimal() else value,
                        "servers-INITIAL_FORMS": "1",
                        "servers-0-id": value,
                        "servers-0-slug": value,
                    }
                    answer = client.post(f"{pages.address(model)}{path}/", asked)
                    yield (model, path, value), answer

    assert failures(answers()) == []


@pytest.mark.parametrize(
    "given", ["[" * 50_000, '[{"id":' * 30_000, "9" * 5_000, '"\\ud800"', "[NaN]", "[{}]", "{}"]
)
def test_json_that_is_none(client: Client, given: str) -> None:
    page = f"/admin/directory/channel/{scene.VOICE}/change/"
    form = pages.opened(client, page)
    answer = client.post(page, {**form, "overwrites": given})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["overwrites"]
    assert client.post(page, {**form, "initial-overwrites": given}).status_code == 302


def test_a_link_fills_in_no_form(client: Client) -> None:
    fields = "timed_out_until=x&nick=typed&endpoint=typed&overwrites=typed&permissions=x%00"
    for path in lists():
        answer = client.get(f"{path}add/?{fields}")
        assert answer.status_code < 500, path
        assert "typed" not in answer.content.decode(), path


@pytest.mark.parametrize("page", ["/admin/", "/admin/login/", "/admin/regions/server/"])
def test_a_session_that_none_can_be(page: str, db: None) -> None:
    stranger = Client(raise_request_exception=False)
    stranger.cookies["sessionid"] = "a\x00bcdefghijklmnop"
    assert stranger.get(page).status_code == 400
