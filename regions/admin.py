"""Regions and servers for staff: the same rules as in the API; the secret goes in, never out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from regions import addresses, health
from regions.models import Region, Restricted, Server
from regions.registry import one_writer
from regions.serializers import SHORTEST_SECRET
from regions.servers import needs_secret

ADDRESS = ("endpoint", "api_url", "api_key")
RESTRICTED = tuple(field.name for field in Restricted._meta.fields)


class RegionForm(forms.ModelForm):
    """Both coordinates or neither is a constraint of the table, so the form knows it already."""

    class Meta:
        model = Region
        fields = ("id", "name", "emoji", "latitude", "longitude", "is_default", *RESTRICTED)

    def _get_validation_exclusions(self) -> set[str]:
        # Taking the flag from another region is the point, and no fault.
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]


class ServerForm(forms.ModelForm):
    """The secret is asked for, kept when left empty, and never shown."""

    api_secret = forms.CharField(
        label="API secret",
        required=False,
        min_length=SHORTEST_SECRET,
        max_length=255,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Empty: as it is. A changed address or key needs it again.",
    )

    class Meta:
        model = Server
        fields = (
            "region",
            "slug",
            *ADDRESS,
            "api_secret",
            "soft_connection_limit",
            "is_active",
            "is_draining",
            *RESTRICTED,
        )

    def clean_endpoint(self) -> str:
        return _address(self.cleaned_data["endpoint"], schemes=("wss", "ws"))

    def clean_api_url(self) -> str:
        url = self.cleaned_data["api_url"]
        return _address(url, schemes=("https", "http")) if url else ""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not values.get("api_secret"):
            values.pop("api_secret", None)  # keeps what the instance has
            stored = Server.objects.filter(pk=self.instance.pk).first() or Server()
            named = {name: values[name] for name in ADDRESS if name in values}
            if "api_secret" not in self.errors and needs_secret(stored, named):
                self.add_error("api_secret", "A new or changed address or key needs the secret.")
        return values


def _address(url: str, *, schemes: tuple[str, ...]) -> str:
    try:
        addresses.require(url, schemes=schemes, allowed_hosts=settings.LIVEKIT_ALLOWED_HOSTS)
    except addresses.BadAddress as fault:
        raise ValidationError(str(fault), code=fault.code) from None
    return url


def _save(form: forms.ModelForm) -> None:
    """Health is not staff's to write, not even as it was when the page was opened."""
    if form.instance._state.adding:
        form.instance.save()
    else:
        form.instance.save(update_fields=set(form.changed_data) & set(form.cleaned_data))


class Registry(admin.ModelAdmin):
    """One writer at a time, and nothing is deleted in bulk."""

    actions = None

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic():
            if request.method == "POST":
                one_writer()
            return super().changeform_view(request, *args, **kwargs)


class ServerInline(admin.StackedInline):
    model = Server
    form = ServerForm
    extra = 0
    can_delete = False
    show_change_link = True


@admin.register(Region)
class RegionAdmin(Registry):
    form = RegionForm
    list_display = ("id", "name", "is_default", "vip_only")
    search_fields = ("id", "name")
    inlines = (ServerInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("id",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Region, form: Any, change: bool) -> None:
        if obj.is_default:
            Region.objects.filter(is_default=True).exclude(pk=obj.pk).update(is_default=False)
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)  # fills in the region, and lists who is new or changed
        formset.save_m2m()
        for of_server in formset.forms:
            if of_server.has_changed():
                _save(of_server)


@admin.register(Server)
class ServerAdmin(Registry):
    form = ServerForm
    list_display = ("__str__", "endpoint", "is_active", "is_draining", "state", "probed_at")
    list_filter = ("region", "is_active", "is_draining")
    search_fields = ("slug", "endpoint")
    readonly_fields = ("state", "probed_at", "probe_ms", "last_error", "webhook_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = ("region", "slug") if obj else ()
        return (*fixed, *self.readonly_fields)

    @admin.display(description="health")
    def state(self, server: Server) -> str:
        """In a word."""
        return str(health.state(server, now=timezone.now())["state"])

    def save_model(self, request: HttpRequest, obj: Server, form: Any, change: bool) -> None:
        _save(form)
