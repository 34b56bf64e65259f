"""The regions, with what their servers carry."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from fluxer.staff.counts import counted
from regions import health
from regions.admin.regions import RegionAdmin
from regions.models import Region, Server
from voice.admin.servers import may_switch_off, tell_webhook
from voice.models import RoomPin, VoiceState

admin.site.unregister(Region)


@admin.register(Region)
class VoiceRegionAdmin(RegionAdmin):
    list_display: Any = (
        *("id", "name", "is_default", "server_count", "usable_count"),
        *("load", "room_count", "vip_only"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Region]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                server_number=counted(Server.objects.all(), "region"),
                usable_number=counted(health.usable(now=timezone.now()), "region"),
                connection_number=counted(VoiceState.objects.all(), "server__region"),
                room_number=counted(RoomPin.objects.all(), "server__region"),
            )
        )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        for server in formset.new_objects:
            tell_webhook(self, request, server)

    def save_server(self, request: HttpRequest, form: Any) -> None:
        may_switch_off(request, form)
        super().save_server(request, form)

    @admin.display(ordering="server_number", description="servers")
    def server_count(self, region: Any) -> int:
        return int(region.server_number)

    @admin.display(ordering="usable_number", description="that take rooms")
    def usable_count(self, region: Any) -> int:
        return int(region.usable_number)

    @admin.display(ordering="connection_number", description="connections")
    def load(self, region: Any) -> int:
        return int(region.connection_number)

    @admin.display(ordering="room_number", description="rooms")
    def room_count(self, region: Any) -> int:
        return int(region.room_number)
