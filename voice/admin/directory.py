"""The directory for staff, with who is in voice there, and who is put out with what is deleted."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from fluxer.directory.admin import ChannelAdmin, GuildAdmin, MemberAdmin, UserAdmin
from fluxer.directory.models import Channel, Guild, Member, User
from fluxer.errors import InvalidFormBody, MissingPermissions
from fluxer.staff.words import many
from voice.admin.rooms import MODERATE, ChangeRegion, DisconnectEveryone, with_people
from voice.models import VoiceState

NOT_YOURS = (
    "to put them out takes the permission to moderate voice; have it done by who has it, or wait"
    " until they left"
)
SILENCE = ("mute", "deaf", "timed_out_until")  # what moderators say of a member


class PutsOut:
    """Of pages whose deletion ends connections: that is moderation too, and says so first."""

    def states(self, row: Any) -> QuerySet[VoiceState]:
        """The connections that end with this row."""
        raise NotImplementedError

    def goes_too(self, row: Any) -> list[str]:
        people = self.states(row).values("user").distinct().count()
        told = many(people, "person", "people")
        return [
            *super().goes_too(row),  # type: ignore[misc]
            f"{told} in voice: put out, at once, by who may moderate voice"
            if people
            else "nobody is in voice there",
        ]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        if not request.user.has_perm(MODERATE) and self.states(obj).exists():
            raise MissingPermissions(f"Somebody is in voice there, and {NOT_YOURS}")
        super().delete_model(request, obj)  # type: ignore[misc]


for model in (User, Guild, Member, Channel):
    admin.site.unregister(model)


@admin.register(User)
class VoiceUserAdmin(PutsOut, UserAdmin):
    def states(self, row: Any) -> QuerySet[VoiceState]:
        return VoiceState.objects.filter(user=row)


@admin.register(Guild)
class VoiceGuildAdmin(PutsOut, GuildAdmin):
    def states(self, row: Any) -> QuerySet[VoiceState]:
        return VoiceState.objects.filter(channel__guild=row)


@admin.register(Member)
class VoiceMemberAdmin(PutsOut, MemberAdmin):
    def states(self, row: Any) -> QuerySet[VoiceState]:
        return VoiceState.objects.filter(user=row.user_id, channel__guild=row.guild_id)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = "They are in voice, and to change that takes the permission to moderate voice"
        words = [name for name in SILENCE if name in form.changed_data]
        if change and words and not request.user.has_perm(MODERATE) and self.states(obj).exists():
            raise InvalidFormBody.at(words[0], "MISSING_PERMISSIONS", said)
        super().save_model(request, obj, form, change)


@admin.register(Channel)
class VoiceChannelAdmin(PutsOut, ChannelAdmin):
    verbs: ClassVar[Any] = (DisconnectEveryone(), ChangeRegion())
    list_display: Any = (*ChannelAdmin.list_display, "in_voice")

    def states(self, row: Any) -> QuerySet[VoiceState]:
        return VoiceState.objects.filter(channel=row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return with_people(super().get_queryset(request))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change and "recipient_ids" in form.changed_data:
            gone = self.states(obj).exclude(user__in=form.cleaned_data["recipient_ids"])
            if not request.user.has_perm(MODERATE) and gone.exists():
                said = f"Somebody you take off is in voice, and {NOT_YOURS}"
                raise InvalidFormBody.at("recipient_ids", "MISSING_PERMISSIONS", said)
        super().save_model(request, obj, form, change)

    @admin.display(ordering="people", description="people in voice")
    def in_voice(self, channel: Any) -> int:
        return int(channel.people)
