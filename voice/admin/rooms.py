"""The rooms for staff: where each lives, who is in, and how to end or move it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from fluxer.staff.actions import Action
from fluxer.staff.counts import counted
from fluxer.staff.pages import LookPage
from fluxer.staff.words import ago, many
from regions.models import Region
from voice import participants, upkeep
from voice.audit import Actor
from voice.models import RoomPin, VoiceState

MODERATE = "voice.moderate"


def with_people(channels: QuerySet[Any]) -> QuerySet[Any]:
    """Rows whose key is a channel's, with how many connections are in and how many have a seat."""
    states = VoiceState.objects.all()
    return channels.annotate(
        connected=counted(states.filter(joined_at__isnull=False), "channel"),
        seats=counted(states.filter(joined_at=None), "channel"),
        people=counted(states, "channel", "user", distinct=True),
    )


def _people(rows: Any) -> str:
    return many(sum(row.people for row in rows), "person", "people")


class Unpin(Action):
    name, label, needs = "unpin", "Unpin", (MODERATE,)

    def question(self, rows: Any) -> str:
        return (
            f"This forgets on which server {many(len(rows), 'room')} lived: the next to come is"
            " placed anew. Only empty rooms are unpinned, so it affects nobody."
        )

    def effect(self, row: Any) -> str:
        return f"not empty ({_people([row])}): stays as it is" if row.people else "empty"

    def do(self, row: Any, *, by: str, values: Any) -> str:
        upkeep.unpin(channel_id=row.pk, by=Actor(by))
        return "unpinned"


class DisconnectEveryone(Action):
    name, label, needs = "disconnect_everyone", "Disconnect everyone", (MODERATE,)

    def question(self, rows: Any) -> str:
        told = f"This puts {_people(rows)} out of {many(len(rows), 'room')}, at once."
        return f"{told} They may join again."

    def effect(self, row: Any) -> str:
        return _people([row])

    def do(self, row: Any, *, by: str, values: Any) -> str:
        count = participants.disconnect_channel(channel_id=row.pk, by=Actor(by))
        return f"{many(count, 'connection')} ended"


class RegionChoice(forms.Form):
    """Where to; empty: automatic."""

    region = forms.ModelChoiceField(
        Region.objects.order_by("pk"), required=False, empty_label="Automatic"
    )


class ChangeRegion(Action):
    name, label, needs = "change_region", "Change region", (MODERATE, "directory.change_channel")
    form = RegionChoice

    def question(self, rows: Any) -> str:
        return (
            f"This disconnects {_people(rows)} in {many(len(rows), 'room')}, which gets"
            " another region. Their next join is for the new region."
        )

    def effect(self, row: Any) -> str:
        return _people([row])

    def do(self, row: Any, *, by: str, values: dict[str, Any]) -> str:
        region = values["region"]
        region_id = region.pk if region else None
        changed = upkeep.change_region(channel_id=row.pk, region_id=region_id, by=Actor(by))
        name = region_id or "automatic"
        return f"its region is {name} now" if changed else f"its region was {name} already"


@admin.register(RoomPin)
class RoomPinAdmin(LookPage):
    verbs = (Unpin(), DisconnectEveryone(), ChangeRegion())
    list_display = ("channel", "guild", "server", "in_now", "reserved", "pinned", "expires")
    list_select_related = ("channel__guild", "server")
    list_filter = ("server__region", "server", ("expires_at", admin.EmptyFieldListFilter))
    ids = ("channel_id", "channel__guild_id")
    search_fields = ("channel__name",)
    search_help_text = "The id of a channel or guild, or a part of the channel's name."
    ordering = ("-pinned_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RoomPin]:
        return with_people(super().get_queryset(request))

    @admin.display(ordering="channel__guild")
    def guild(self, pin: RoomPin) -> Any:
        return pin.channel.guild or "a call"

    @admin.display(ordering="connected", description="in")
    def in_now(self, pin: Any) -> int:
        return int(pin.connected)

    @admin.display(ordering="seats", description="seats")
    def reserved(self, pin: Any) -> int:
        return int(pin.seats)

    @admin.display(ordering="pinned_at")
    def pinned(self, pin: RoomPin) -> str:
        return ago(pin.pinned_at)

    @admin.display(ordering="expires_at")
    def expires(self, pin: RoomPin) -> str:
        return ago(pin.expires_at)
