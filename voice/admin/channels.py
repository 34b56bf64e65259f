"""The directory's channels, with who is in them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from fluxer.directory.admin import ChannelAdmin
from fluxer.directory.models import Channel
from voice.admin.rooms import ChangeRegion, DisconnectEveryone, with_people

admin.site.unregister(Channel)


@admin.register(Channel)
class VoiceChannelAdmin(ChannelAdmin):
    verbs: ClassVar[Any] = (DisconnectEveryone(), ChangeRegion())
    list_display: Any = (*ChannelAdmin.list_display, "in_voice")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return with_people(super().get_queryset(request))

    @admin.display(ordering="people", description="people in voice")
    def in_voice(self, channel: Any) -> int:
        return int(channel.people)
