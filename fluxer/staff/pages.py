"""Lists that cost the same however long they are, and forms whose changes go through the verbs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import BadRequest, ValidationError
from django.db import DatabaseError
from django.db.models import JSONField, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from fluxer import snowflakes
from fluxer.acting import acting_as
from fluxer.errors import Conflict, FluxerError, InternalError, from_exception
from fluxer.staff.actions import asking
from fluxer.staff.fields import SoundJSONField
from fluxer.staff.refusals import faults, sentence


def actor(request: HttpRequest) -> str:
    """What an audit entry calls whoever is signed in."""
    return f"staff {request.user.get_username()}"


class StaffPage(admin.ModelAdmin):
    """Nothing is done in bulk but by `verbs`, each of which asks first."""

    verbs: ClassVar[Any] = ()  # Actions
    ids: tuple[str, ...] = ()  # what a number that is searched for may be
    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False

    formfield_overrides: ClassVar[Any] = {JSONField: {"form_class": SoundJSONField}}

    class Media:
        css = {"all": ("staff.css",)}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Those that this person may, and no others: not even Django's own bulk deletion."""
        return {
            verb.name: (asking(verb, actor(request)), verb.name, verb.label)
            for verb in self.verbs
            if request.user.has_perms(verb.needs)
        }

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A number is an id, found by an index; anything else is looked for as text."""
        number = snowflakes.parse(search_term.strip())
        if number is None or not self.ids:
            return super().get_search_results(request, queryset, search_term)
        where = Q()
        for name in self.ids:
            where |= Q(**{name: number})
        return queryset.filter(where), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        offered = [
            {"name": name, "label": label}
            for name, (_, _, label) in self.get_actions(request).items()
        ]
        context = {**(extra_context or {}), "verbs": offered}
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The list. 400 for rows that were chosen by what is no id."""
        try:
            for chosen in request.POST.getlist("_selected_action"):
                self.opts.pk.to_python(chosen)
        except ValidationError as error:
            raise BadRequest("That is no id") from error
        return super().changelist_view(request, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What a verb refuses comes back in the form, at its field, with all that was typed."""
        with acting_as(actor(request)):
            try:
                return super().changeform_view(request, *args, **kwargs)
            except (FluxerError, DatabaseError) as error:
                request.refusal = _known(error)  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return form if refusal is None else _refused(form, refusal)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A link fills in no form."""
        return {}

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """What is in use is not deleted, and the reason is said."""
        with acting_as(actor(request)):
            try:
                return super().delete_view(request, object_id, extra_context)
            except (FluxerError, DatabaseError) as error:
                self.message_user(request, sentence(_known(error)), messages.ERROR)
        opts = self.opts
        page = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[object_id])
        return HttpResponseRedirect(page)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What was asked for, and `goes_too`; the verb knows what must not go."""
        listed: list[Any] = []
        for row in objs:
            listed += [str(row), self.goes_too(row)]
        return listed, {}, set(), []

    def goes_too(self, row: Any) -> list[str]:
        """What else goes when this row is deleted, for who is asked whether they are sure."""
        return []


class VerbPage(StaffPage):
    """Writes through the verbs of `noun`, a module with put, change and remove."""

    noun: Any
    fixed: tuple[str, ...] = ("id",)
    key_fields: tuple[str, ...] = ("id",)  # that `keys` already says

    def keys(self, row: Any) -> dict[str, Any]:
        """What the verbs call this row."""
        raise NotImplementedError

    def formfield_for_dbfield(self, *args: Any, **kwargs: Any) -> Any:
        return remembering(super().formfield_for_dbfield(*args, **kwargs))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*(() if obj is None else self.fixed), *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        names = form.changed_data if change else form.cleaned_data
        keys = self.keys(obj)
        values = {
            name: value
            for name, value in _named(names, form.cleaned_data)
            if name not in {*self.key_fields, *keys}
        }
        row = self.noun.change(**keys, **values) if change else added(self.noun, **keys, **values)
        obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.noun.remove(**self.keys(obj))


def added(noun: Any, **values: Any) -> Any:
    """The new row. Conflict for one that somebody else added since the form found none."""
    row, is_new = noun.put(**values)
    if not is_new:
        raise Conflict("Somebody else has just added this; open it to change it")
    return row


def remembering(field: Any) -> Any:
    """The field of a form, sent with what it was when the form was opened: what somebody else
    changed meanwhile is no change of whoever saves it."""
    if field is not None:
        field.show_hidden_initial = True
    return field


class LookPage(StaffPage):
    """Looked at, never written by hand: what may be done here is done by verbs."""

    list_per_page = 100

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _named(names: Iterable[str], cleaned: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """The values as the verbs name them: a reference by its id."""
    for name in names:
        if name in cleaned:
            value = cleaned[name]
            yield (f"{name}_id", value.pk) if isinstance(value, Model) else (name, value)


def _known(error: Exception) -> FluxerError:
    """The error in our words; one that nobody foresaw goes on its way."""
    known = from_exception(error)
    if isinstance(known, InternalError):
        raise error
    return known


def _refused(form: type[forms.ModelForm], refusal: FluxerError) -> type[forms.ModelForm]:
    """The form, which will not be valid."""

    class Refused(form):  # type: ignore[misc, valid-type]
        def clean(self) -> Any:
            values = super().clean()
            for path, message in faults(refusal):
                field = path.partition(".")[0]
                named = [name for name in (field, field.removesuffix("_id")) if name in self.fields]
                self.add_error(named[0] if named else None, ValidationError(message))
            return values

    return Refused
