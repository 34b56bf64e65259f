"""What staff see of voice: read-only, for every change is a verb."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from voice.models import AuditEntry, DueRoom, RoomPin, VoiceState


class ReadOnly(admin.ModelAdmin):
    """Looked at, never written by hand."""

    list_per_page = 100
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(RoomPin)
class RoomPinAdmin(ReadOnly):
    list_display = ("channel", "server", "pinned_at", "made_at", "expires_at")
    list_select_related = ("channel", "server")
    list_filter = ("server",)
    search_fields = ("=channel__id",)


@admin.register(VoiceState)
class VoiceStateAdmin(ReadOnly):
    list_display = ("connection_id", "user", "channel", "server", "seat_until", "joined_at")
    list_select_related = ("user", "channel", "server")
    list_filter = ("server", ("joined_at", admin.EmptyFieldListFilter))
    search_fields = ("=connection_id", "=user__id", "=channel__id")


@admin.register(DueRoom)
class DueRoomAdmin(ReadOnly):
    list_display = ("room", "server", "due_at", "attempts", "since")
    list_select_related = ("server",)
    list_filter = ("server",)
    search_fields = ("=room",)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("at", "actor", "action", "target_id", "channel_id", "reason")
    list_filter = ("action",)
    search_fields = ("=guild_id", "=target_id", "=channel_id", "=actor_id")
