"""The pages of the admin, as staff go through them."""

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client

from regions.models import Server

OURS = ("directory", "regions", "voice", "admin")


def models() -> list[type[Model]]:
    """Those of ours that have pages."""
    return [model for model in admin.site._registry if model._meta.app_label in OURS]


def address(model: type[Model]) -> str:
    """Of the list."""
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def page_of(row: Model) -> str:
    """Of one row, to change it."""
    return f"{address(type(row))}{row.pk}/change/"


def form_of(server: Server, on: str) -> tuple[str, str]:
    """A page where a server is changed, its own or its region's; what its fields begin with."""
    if on == "region":
        return page_of(server.region), "servers-0-"
    return page_of(server), ""


def every(client: Client) -> Iterator[str]:
    """The address of every page: lists, and the pages of the first row of each."""
    yield from (
        f"/admin/{page}" for page in ("", "voice/", "regions/", "directory/", "auth/", "admin/")
    )
    yield from (f"/admin/{page}/" for page in ("password_change", "password_change/done", "jsi18n"))
    yield from (f"{address(User)}{user.pk}/password/" for user in User.objects.all()[:1])
    listed: list[type[Model]] = [*models(), User, Group]
    for model in listed:
        base, row = address(model), model._default_manager.first()
        yield from (base, f"{base}?q=1", f"{base}?q=a", f"{base}?o=1.-2")
        if row is not None:
            yield from (f"{base}{row.pk}/{page}/" for page in ("change", "history", "delete"))
        yield f"{base}add/"


class _Form(HTMLParser):
    """What a browser would send of a page's form."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "input" and name and kind not in ("submit", "checkbox", "file"):
            self.values[name] = given.get("value", "")
        elif tag == "input" and kind == "checkbox" and "checked" in given:
            self.values[name] = given.get("value", "on")
        elif tag in ("select", "textarea"):
            self._open, self.values[name] = name, ""
        elif tag == "option" and "selected" in given:
            self.values[self._open] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._open and self.lasttag == "textarea":
            self.values[self._open] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self._open = ""


def opened(client: Client, page: str) -> dict[str, str]:
    """A form as it stands in the browser: what sending it unchanged would send."""
    parser = _Form()
    parser.feed(client.get(page).content.decode())
    for other in ("_selected_action", "action", "csrfmiddlewaretoken"):
        parser.values.pop(other, None)
    return parser.values


def send(client: Client, page: str, form: dict[str, str], **fields: str | None) -> Any:
    """The form with these fields changed (None: unticked); the page that follows."""
    sent = {name: value for name, value in {**form, **fields}.items() if value is not None}
    return client.post(page, sent, follow=True)


def text(answer: Any) -> str:
    """What a page says, without its tags."""
    bare = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", html.unescape(bare))


def ask(client: Client, model: type[Model], action: str, *rows: Model, **values: str) -> Any:
    """Choose an action for these rows: the page that asks."""
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows], **values}
    return client.post(address(model), chosen)


def do(client: Client, model: type[Model], action: str, *rows: Model, **values: str) -> str:
    """Say yes to it; what the next page says."""
    chosen = {
        "action": action,
        "_selected_action": [str(row.pk) for row in rows],
        "confirmed": "yes",
        **values,
    }
    return text(client.post(address(model), chosen, follow=True))
