"""What staff do to the rows of a list: asked first, with what will happen to how many people;
told afterwards, with what failed; and kept in the admin's history."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from fluxer.errors import FluxerError, from_exception
from fluxer.staff.refusals import sentence

AT_ONCE = 200  # rows; each is a transaction of its own
PATIENCE = 15.0  # seconds, after which no further row is begun: the browser waits for all of them
TOLD = 10  # outcomes that are told one by one


class Action:
    """One of them. Rows are as the page's own queryset gives them, with their counts."""

    name: str
    label: str
    needs: tuple[str, ...]  # permissions, all of them
    form: type[forms.Form] | None = None

    def question(self, rows: Sequence[Any]) -> str:
        """What will happen, and to how many people."""
        raise NotImplementedError

    def effect(self, row: Any) -> str:
        """What will happen to this row."""
        return ""

    def begin(self, rows: Sequence[Any]) -> None:
        """What is done for all of them together, before each."""

    def do(self, row: Any, *, by: str, values: dict[str, Any]) -> str:
        """Do it; what happened, in words. A FluxerError is what failed, and stops no other row."""
        raise NotImplementedError


def asking(action: Action, by: str) -> Callable[..., HttpResponse | None]:
    """The action as Django's list calls it: twice, once to ask and once when it was said yes."""

    def ask(page: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        if not request.user.has_perms(action.needs):
            raise PermissionDenied
        is_confirmed = "confirmed" in request.POST
        if is_confirmed:  # by id: the list's filters may not show them any more
            queryset = page.get_queryset(request).filter(
                pk__in=request.POST.getlist("_selected_action")
            )
        rows = list(queryset[: AT_ONCE + 1])
        if not rows or len(rows) > AT_ONCE:
            told = (
                f"That is more than {AT_ONCE}: choose fewer." if rows else "They are gone already."
            )
            page.message_user(request, told, messages.ERROR)
            return None
        form = action.form(request.POST if is_confirmed else None) if action.form else None
        if is_confirmed and (form is None or form.is_valid()):
            values = form.cleaned_data if form else {}
            _tell_gone(page, request, rows)
            _carry_out(action, page, request, rows, by=by, values=values)
            return None
        return _question(action, page, request, rows, form)

    return ask


def _question(
    action: Action, page: Any, request: HttpRequest, rows: Sequence[Any], form: forms.Form | None
) -> HttpResponse:
    context = {
        **page.admin_site.each_context(request),
        "title": f"{action.label}?",
        "opts": page.opts,
        "media": page.media,
        "action": action,
        "question": action.question(rows),
        "effects": [(row, action.effect(row)) for row in rows],
        "form": form,
    }
    return TemplateResponse(request, "admin/ask.html", context)


def _tell_gone(page: Any, request: HttpRequest, rows: Sequence[Any]) -> None:
    """Say how many of those that were asked about are not there any more."""
    chosen = {page.opts.pk.to_python(key) for key in request.POST.getlist("_selected_action")}
    gone = len(chosen) - len(rows)
    if gone:
        told = f"{gone} of those you chose {'is' if gone == 1 else 'are'} gone already."
        page.message_user(request, told, messages.WARNING)


def _carry_out(
    action: Action,
    page: Any,
    request: HttpRequest,
    rows: Sequence[Any],
    *,
    by: str,
    values: dict[str, Any],
) -> None:
    done: list[str] = []
    failed: list[str] = []
    left: list[str] = []
    until = time.monotonic() + PATIENCE
    try:
        action.begin(rows)
    except (FluxerError, DatabaseError) as error:
        told = f"{action.label}: {sentence(from_exception(error))}"
        page.message_user(request, told, messages.ERROR)
        return
    for row in rows:
        if (done or failed) and time.monotonic() > until:
            left.append(f"{action.label}: {row}: not done, there was no time left; do it again")
            continue
        name = f"{action.label}: {row}"  # a page begins a message with a capital
        try:
            told = action.do(row, by=by, values=values)
        except (FluxerError, DatabaseError) as error:
            failed.append(f"{name}: {sentence(from_exception(error))}")
            continue
        done.append(f"{name}: {told}")
        page.log_change(request, row, f"{action.label}: {told}")
    for level, outcomes, word in (
        (messages.SUCCESS, done, "done"),
        (messages.ERROR, failed, "failed"),
        (messages.WARNING, left, "not done: do it again"),
    ):
        for outcome in outcomes[:TOLD]:
            page.message_user(request, outcome, level)
        if len(outcomes) > TOLD:
            page.message_user(request, f"{len(outcomes) - TOLD} more {word}.", level)
