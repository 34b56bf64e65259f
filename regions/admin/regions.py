"""The regions for staff, with their servers."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from fluxer.staff.actions import Action
from fluxer.staff.pages import VerbPage, added, remembering
from regions import regions, servers
from regions.admin.forms import ADDRESS, RESTRICTED, RegionForm, SecretHidden, ServerForm
from regions.admin.servers import state_badge, tell_trials, try_later
from regions.models import Region, Server


class MakeDefault(Action):
    name, label, needs = "make_default", "Make default", ("regions.change_region",)

    def question(self, rows: Any) -> str:
        if len(rows) > 1:
            return "Only one region can be the default: the last of these will be."
        told = "Rooms that nobody has a wish for will be made here. Rooms that live stay where"
        return f"{told} they are: nobody is affected."

    def do(self, row: Region, *, by: str, values: Any) -> str:
        regions.change(region_id=row.pk, is_default=True)
        return "is the default now"


# Servers of one region that are changed on its page. A form has a thousand fields at most, and each
# brings more than twenty.
IN_FORM = 20


class ServerInline(SecretHidden, admin.StackedInline):
    """Added and changed here, deleted on its own page."""

    model = Server
    form = ServerForm
    extra = 0
    max_num = IN_FORM
    can_delete = False
    show_change_link = True
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("slug", *ADDRESS, "api_secret")}),
        ("Use", {"fields": ("is_active", "is_draining", "soft_connection_limit")}),
        ("Who may use it", {"classes": ("collapse",), "fields": RESTRICTED}),
    )

    def formfield_for_dbfield(self, *args: Any, **kwargs: Any) -> Any:
        return remembering(super().formfield_for_dbfield(*args, **kwargs))


@admin.register(Region)
class RegionAdmin(VerbPage):
    noun = regions
    form = RegionForm
    verbs: ClassVar[Any] = (MakeDefault(),)
    list_display: Any = ("id", "name", "is_default", "vip_only")
    list_filter = ("is_default", "vip_only")
    search_fields = ("id", "name")
    ordering = ("id",)
    inlines = (ServerInline,)
    readonly_fields = ("listed",)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("id", "name", "emoji", "is_default")}),
        ("Place", {"fields": (("latitude", "longitude"),)}),
        ("Who may use it", {"classes": ("collapse",), "fields": RESTRICTED}),
    )

    def keys(self, row: Region) -> dict[str, str]:
        return {"region_id": row.pk}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        # Of a page that was opened before there were too many, all that was typed is taken.
        was_in_form = "servers-TOTAL_FORMS" in request.POST
        return self.inlines if was_in_form or not self._are_listed(obj) else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        may_see = ServerInline(self.model, self.admin_site).has_view_permission(request)
        if may_see and not self.get_inlines(request, obj):
            return (*fieldsets, ("Servers", {"fields": ("listed",)}))
        return fieldsets

    def _are_listed(self, region: Region | None) -> bool:
        return region is not None and region.servers.count() > IN_FORM

    @admin.display(description="each is changed on its own page")
    def listed(self, region: Region) -> SafeString:
        """Its servers, too many for one form."""
        return format_html_join(
            mark_safe("<br>"),
            '<a href="{}">{}</a> {}',
            (
                (reverse("admin:regions_server_change", args=[row.pk]), row.slug, state_badge(row))
                for row in region.servers.defer("api_secret")
            ),
        )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)  # fills in the region, and lists who is new or changed
        formset.save_m2m()
        for of_server in formset.forms:
            if of_server.has_changed():
                self.save_server(request, of_server)

    def save_server(self, request: HttpRequest, form: Any) -> None:
        """One of the region's, as it is in its form."""
        server, values = form.instance, form.cleaned_data
        is_new = server._state.adding
        names = values if is_new else set(form.changed_data) & set(values)
        written = {
            name: values[name] for name in names if name not in ("id", "region", "slug", "DELETE")
        }
        keys = {"region_id": server.region_id, "server_id": server.slug}
        if is_new:
            added(servers, **keys, **written)
        else:
            servers.change(**keys, **written)
        try_later(request, server, form)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().changeform_view(request, *args, **kwargs)
        tell_trials(self, request)
        return response
