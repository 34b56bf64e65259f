"""The directory for staff, with who is in voice there, and who is put out with what is deleted."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from fluxer.directory.admin import ChannelAdmin, GuildAdmin, MemberAdmin, UserAdmin
from fluxer.directory.models import Channel, Guild, Member, User
from fluxer.errors import MissingPermissions
from fluxer.staff.words import many
from voice.admin.rooms import MODERATE, ChangeRegion, DisconnectEveryone, with_people
from voice.models import VoiceState


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
            raise MissingPermissions(
                "Somebody is in voice there, and to put them out takes the permission to moderate"
                " voice; have it done by who has it, or wait until they left"
            )
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


@admin.register(Channel)
class VoiceChannelAdmin(PutsOut, ChannelAdmin):
    verbs: ClassVar[Any] = (DisconnectEveryone(), ChangeRegion())
    list_display: Any = (*ChannelAdmin.list_display, "in_voice")

    def states(self, row: Any) -> QuerySet[VoiceState]:
        return VoiceState.objects.filter(channel=row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return with_people(super().get_queryset(request))

    @admin.display(ordering="people", description="people in voice")
    def in_voice(self, channel: Any) -> int:
        return int(channel.people)
