"""The directory for staff, who change it through the same verbs as the back end."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework import exceptions as drf

from fluxer.directory import channels, guilds, members, roles, users
from fluxer.directory.models import LIMITS, Channel, Guild, Member, Role, User
from fluxer.directory.recipients import require_guild
from fluxer.directory.serializers import OverwriteSerializer
from fluxer.errors import InvalidFormBody, from_exception
from fluxer.staff.counts import counted
from fluxer.staff.pages import VerbPage
from fluxer.staff.refusals import sentence
from fluxer.staff.words import many

RIGHTS = "Who may not be in voice any more by this is put out at once."


class DirectoryPage(VerbPage):
    """Says at each field that gives or takes rights what that does to those who are in voice."""

    rights: tuple[str, ...] = ()

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest | None, **given: Any
    ) -> Any:
        if db_field.name in self.rights:
            given["help_text"] = RIGHTS
        return super().formfield_for_dbfield(db_field, request, **given)


@admin.register(User)
class UserAdmin(DirectoryPage):
    noun = users
    rights = ("is_claimed",)
    list_display = ("id", "username", "display_name", "is_claimed", "is_bot")
    list_filter = ("is_claimed", "is_bot")
    ids = ("pk",)
    search_fields = ("username", "display_name")
    search_help_text = "An id, or a part of a name."
    ordering = ("-pk",)

    def keys(self, row: Any) -> dict[str, int]:
        return {"user_id": row.pk}

    def goes_too(self, row: Any) -> list[str]:
        calls = len(channels.calls_of(user_id=row.pk))
        return [
            many(row.memberships.count(), "membership"),
            f"their place in {many(calls, 'call')}",
        ]


class RoleInline(admin.TabularInline):
    """A guild's roles, to be seen; each is changed on its own page."""

    model = Role
    fields = readonly_fields = ("id", "name", "permissions", "position")
    show_change_link = True
    can_delete = False
    max_num = 0


@admin.register(Guild)
class GuildAdmin(DirectoryPage):
    noun = guilds
    rights = ("owner", "features")
    list_display = ("id", "name", "owner", "members", "channels", "features")
    list_select_related = ("owner",)
    ids = ("pk", "owner_id")
    search_fields = ("name",)
    search_help_text = "The id of a guild or its owner, or a part of the name."
    ordering = ("-pk",)
    raw_id_fields = ("owner",)
    inlines = (RoleInline,)

    def keys(self, row: Any) -> dict[str, int]:
        return {"guild_id": row.pk}

    def goes_too(self, row: Any) -> list[str]:
        found = (("channel", row.channels), ("member", row.members), ("role", row.roles))
        return [many(rows.count(), noun) for noun, rows in found]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Guild]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                member_count=counted(Member.objects.all(), "guild"),
                channel_count=counted(Channel.objects.all(), "guild"),
            )
        )

    @admin.display(ordering="member_count")
    def members(self, guild: Any) -> int:
        return int(guild.member_count)

    @admin.display(ordering="channel_count")
    def channels(self, guild: Any) -> int:
        return int(guild.channel_count)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else self.inlines


@admin.register(Role)
class RoleAdmin(DirectoryPage):
    noun = roles
    rights = ("permissions",)
    fixed = ("id", "guild")
    list_display = ("id", "name", "guild", "permissions", "position")
    list_select_related = ("guild",)
    ids = ("pk", "guild_id")
    search_fields = ("name",)
    search_help_text = "The id of a role or guild, or a part of the name."
    ordering = ("-pk",)
    raw_id_fields = ("guild",)

    def keys(self, row: Any) -> dict[str, int]:
        return {"guild_id": row.guild_id, "role_id": row.pk}

    def goes_too(self, row: Any) -> list[str]:
        having = Member.objects.filter(guild=row.guild_id, role_ids__contains=[row.pk])
        naming = channels.with_role(guild_id=row.guild_id, role_id=row.pk)
        return [
            f"what {many(having.count(), 'member')} may by it",
            f"its overwrites in {many(len(naming), 'channel')}",
            "whoever may not be in voice without it: put out, at once",
        ]


@admin.register(Member)
class MemberAdmin(DirectoryPage):
    noun = members
    rights = ("role_ids",)
    fixed = ("guild", "user")
    list_display = ("user", "guild", "nick", "mute", "deaf", "timed_out_until")
    list_filter = ("mute", "deaf")
    list_select_related = ("guild", "user")
    ids = ("guild_id", "user_id")
    search_fields = ("nick", "user__username")
    search_help_text = "The id of a guild or user, or a part of a name."
    ordering = ("-pk",)
    raw_id_fields = ("guild", "user")

    def keys(self, row: Any) -> dict[str, int]:
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
        help_texts: ClassVar[Any] = {
            "recipient_ids": "Of a DM or group DM. Who is taken off is put out of voice, too.",
            "rtc_region": "Empty: automatic. Of a channel that is there it is changed by"
            " “Change region” in the list of channels or rooms, which asks first.",
        }

    def clean_overwrites(self) -> Any:
        given = self.cleaned_data["overwrites"]
        overwrites = OverwriteSerializer(data=[] if given is None else given, many=True)
        try:
            overwrites.is_valid(raise_exception=True)
        except drf.ValidationError as error:
            raise ValidationError(sentence(from_exception(error))) from error
        return overwrites.validated_data

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if {"type", "guild"} <= values.keys():  # a new one
            try:
                require_guild(Channel(type=values["type"], guild=values["guild"]))
            except InvalidFormBody as refusal:
                self.add_error("guild", refusal.errors[0]["message"])
        return values


@admin.register(Channel)
class ChannelAdmin(DirectoryPage):
    noun = channels
    rights = ("overwrites",)
    form = ChannelForm
    fixed = ("id", "type", "guild", "rtc_region")
    list_display: Any = ("id", "name", "type", "guild", "user_limit", "rtc_region")
    list_filter = ("type", ("rtc_region", admin.EmptyFieldListFilter))
    list_select_related = ("guild",)
    ids = ("pk", "guild_id")
    search_fields = ("name",)
    search_help_text = "The id of a channel or guild, or a part of the name."
    ordering = ("-pk",)
    raw_id_fields = ("guild",)

    def keys(self, row: Any) -> dict[str, int]:
        return {"channel_id": row.pk}
