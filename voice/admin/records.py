"""What voice remembers and what it still has to do, to be looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from fluxer.staff.pages import LookPage
from fluxer.staff.words import ago
from voice.models import AuditEntry, DueRoom, EndedConnection


@admin.register(DueRoom)
class DueRoomAdmin(LookPage):
    list_display = ("room", "server", "due", "attempts", "for_how_long", "servers_error")
    list_select_related = ("server",)
    list_filter = ("server__region", "server")
    search_fields = ("room__exact",)
    search_help_text = "A whole room name, like guild_1_channel_2."
    ordering = ("due_at",)

    @admin.display(ordering="due_at")
    def due(self, row: DueRoom) -> str:
        return ago(row.due_at)

    @admin.display(ordering="since", description="waiting since")
    def for_how_long(self, row: DueRoom) -> str:
        return ago(row.since)

    @admin.display(description="last error of its server")
    def servers_error(self, row: DueRoom) -> str:
        return row.server.last_error


@admin.register(EndedConnection)
class EndedConnectionAdmin(LookPage):
    """The answer to: why am I out?"""

    list_display = ("connection_id", "user_id", "channel_id", "reason", "ended", "may_return")
    list_filter = ("reason",)
    ids = ("user_id", "channel_id")
    search_fields = ("connection_id__exact",)
    search_help_text = "The id of a connection, user or channel."
    ordering = ("-ended_at",)

    @admin.display(ordering="ended_at")
    def ended(self, row: EndedConnection) -> str:
        return ago(row.ended_at)

    @admin.display(description="may return until")
    def may_return(self, row: EndedConnection) -> str:
        return ago(row.may_return_until)


@admin.register(AuditEntry)
class AuditEntryAdmin(LookPage):
    list_display = ("at", "who", "action", "target_id", "guild_id", "channel_id", "reason")
    list_filter = ("action",)
    ids = ("guild_id", "target_id", "channel_id", "actor_id")
    search_fields = ("actor",)
    search_help_text = "An id, or a part of a staff member's name."
    ordering = ("-pk",)

    @admin.display(description="by")
    def who(self, row: AuditEntry) -> Any:
        return row.actor if row.actor_id is None else f"{row.actor} {row.actor_id}"
