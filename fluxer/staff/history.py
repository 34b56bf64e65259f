"""The admin's history of everything together: also of what is not there any more."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from fluxer.staff.pages import LookPage


@admin.register(LogEntry)
class HistoryAdmin(LookPage):
    list_display = ("action_time", "user", "content_type", "object_id", "object_repr", "what")
    list_select_related = ("user", "content_type")
    list_filter = ("action_flag", ("content_type", admin.RelatedOnlyFieldListFilter), "action_time")
    search_fields = ("object_id__exact", "object_repr", "user__username", "change_message")
    search_help_text = "A whole id, or a part of a name, of who did it, or of what was done."
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "what")
    ordering = ("-pk",)

    @admin.display(description="what was done")
    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message() or entry.get_action_flag_display()
