"""The directory for staff, who change it through the same verbs as the back end."""

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from fluxer.directory import channels, guilds, members, roles, users
from fluxer.directory.models import LIMITS, Channel, Guild, Member, Role, User
from fluxer.directory.serializers import OverwriteSerializer
from fluxer.errors import FluxerError, InvalidFormBody


class VerbAdmin(admin.ModelAdmin):
    """Writes through the verbs of `noun`: what they refuse is a message, and changes nothing."""

    noun: Any
    fixed: tuple[str, ...] = ("id",)
    actions = None  # one at a time: each deletion puts people out of rooms
    list_per_page = 50
    show_full_result_count = False

    def ids(self, row: Any) -> dict[str, int]:
        """What the verbs call this row."""
        raise NotImplementedError

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else self.fixed

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        names = form.changed_data if change else form.cleaned_data
        values = dict(_named(names, form.cleaned_data))
        ids = self.ids(obj)
        values = {name: value for name, value in values.items() if name not in {"id", *ids}}
        row = self.noun.change(**ids, **values) if change else self.noun.put(**ids, **values)[0]
        obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.noun.remove(**self.ids(obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Only what was asked for: the verb knows what else goes, and what must not."""
        return [str(row) for row in objs], {}, set(), []

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except FluxerError as error:
            return self._refused(request, error)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().delete_view(request, *args, **kwargs)
        except FluxerError as error:
            return self._refused(request, error)

    def _refused(self, request: HttpRequest, error: FluxerError) -> HttpResponse:
        faults = error.errors if isinstance(error, InvalidFormBody) else []
        details = "; ".join(f"{fault['path']}: {fault['message']}" for fault in faults)
        self.message_user(request, details or error.message, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())


def _named(names: Iterable[str], cleaned: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """The values as the verbs name them: a reference by its id."""
    for name in names:
        value = cleaned[name]
        yield (f"{name}_id", value.pk) if isinstance(value, Model) else (name, value)


@admin.register(User)
class UserAdmin(VerbAdmin):
    noun = users
    list_display = ("id", "username", "display_name", "is_claimed", "is_bot")
    list_filter = ("is_claimed", "is_bot")
    search_fields = ("=id", "username", "display_name")

    def ids(self, row: Any) -> dict[str, int]:
        return {"user_id": row.pk}


class RoleInline(admin.TabularInline):
    """A guild's roles, to be seen; each is changed on its own page."""

    model = Role
    fields = readonly_fields = ("id", "name", "permissions", "position")
    show_change_link = True
    can_delete = False
    max_num = 0


@admin.register(Guild)
class GuildAdmin(VerbAdmin):
    noun = guilds
    list_display = ("id", "name", "owner", "features")
    list_select_related = ("owner",)
    search_fields = ("=id", "name")
    raw_id_fields = ("owner",)
    inlines = (RoleInline,)

    def ids(self, row: Any) -> dict[str, int]:
        return {"guild_id": row.pk}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else self.inlines


@admin.register(Role)
class RoleAdmin(VerbAdmin):
    noun = roles
    fixed = ("id", "guild")
    list_display = ("id", "name", "guild", "permissions", "position")
    list_select_related = ("guild",)
    search_fields = ("=id", "=guild__id", "name")
    raw_id_fields = ("guild",)

    def ids(self, row: Any) -> dict[str, int]:
        return {"guild_id": row.guild_id, "role_id": row.pk}


@admin.register(Member)
class MemberAdmin(VerbAdmin):
    noun = members
    fixed = ("guild", "user")
    list_display = ("user", "guild", "nick", "mute", "deaf", "timed_out_until")
    list_filter = ("mute", "deaf")
    list_select_related = ("guild", "user")
    search_fields = ("=guild__id", "=user__id", "nick")
    raw_id_fields = ("guild", "user")

    def ids(self, row: Any) -> dict[str, int]:
        return {"guild_id": row.guild_id, "user_id": row.user_id}


class ChannelForm(forms.ModelForm):
    class Meta:
        model = Channel
        fields = (
            "id",
            "type",
            "guild",
            "recipient_ids",
            "name",
            *LIMITS,
            "rtc_region",
            "overwrites",
        )

    def clean_overwrites(self) -> Any:
        overwrites = OverwriteSerializer(data=self.cleaned_data["overwrites"], many=True)
        if not overwrites.is_valid():
            raise ValidationError(json.dumps(overwrites.errors))
        return overwrites.validated_data


@admin.register(Channel)
class ChannelAdmin(VerbAdmin):
    noun = channels
    form = ChannelForm
    fixed = ("id", "type", "guild")
    list_display = ("id", "name", "type", "guild", "user_limit", "rtc_region")
    list_filter = ("type", "rtc_region")
    list_select_related = ("guild",)
    search_fields = ("=id", "=guild__id", "name")
    raw_id_fields = ("guild",)

    def ids(self, row: Any) -> dict[str, int]:
        return {"channel_id": row.pk}
