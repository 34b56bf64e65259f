"""What staff may say of a region and of a server: the rules of the API, at the field."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from fluxer.staff.pages import remembering
from regions import addresses
from regions.models import Region, Restricted, Server
from regions.serializers import SHORTEST_SECRET
from regions.servers import needs_secret

ADDRESS = ("endpoint", "api_url", "api_key")
RESTRICTED = tuple(field.name for field in Restricted._meta.fields)


class RegionForm(forms.ModelForm):
    """Both coordinates or neither: said at the one that is missing."""

    class Meta:
        model = Region
        fields = ("id", "name", "emoji", "latitude", "longitude", "is_default", *RESTRICTED)

    def _get_validation_exclusions(self) -> set[str]:
        # Taking the flag from another region is the point, and no fault.
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        place = {name: values.get(name) for name in ("latitude", "longitude")}
        missing = [name for name, value in place.items() if value is None]
        if len(missing) == 1 and missing[0] not in self.errors:
            self.add_error(missing[0], "Give both coordinates, or neither.")
        return values


OFF = (
    "Off: takes no new rooms. Each room that is here moves with the next token for it, and whoever"
    " is in is disconnected then."
)


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

    # Declared here, a field is not asked of the page, which has the others remembered.
    soft_connection_limit = remembering(
        forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
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
        help_texts: ClassVar[Any] = {"is_active": OFF}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "slug" in self.fields and not self.instance._state.adding:
            slug = self.fields["slug"]
            slug.disabled, slug.help_text = True, "Stays: webhooks are addressed by it."

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
            named = {
                name: values[name] for name in ADDRESS if name in {*values} & {*self.changed_data}
            }
            if "api_secret" not in self.errors and needs_secret(stored, named):
                self.add_error("api_secret", "A new or changed address or key needs the secret.")
        return values


class SecretHidden:
    """Of pages with a server: who may only look is shown every field as text, so not this one."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if obj is None or self.has_change_permission(request, obj):  # type: ignore[attr-defined]
            return fieldsets
        return [
            (title, {**of, "fields": [name for name in of["fields"] if name != "api_secret"]})
            for title, of in fieldsets
        ]


def _address(url: str, *, schemes: tuple[str, ...]) -> str:
    try:
        addresses.require(url, schemes=schemes, allowed_hosts=settings.LIVEKIT_ALLOWED_HOSTS)
    except addresses.BadAddress as fault:
        raise ValidationError(str(fault), code=fault.code) from None
    return url
