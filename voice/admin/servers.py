"""The servers, with what they carry and where their webhooks must go."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from fluxer.errors import InvalidFormBody
from fluxer.staff.actions import Action
from fluxer.staff.counts import counted
from fluxer.staff.pages import actor
from fluxer.staff.words import ago, many
from regions import health
from regions.admin.servers import ServerAdmin
from regions.models import Server
from voice import upkeep
from voice.admin.rooms import MODERATE
from voice.audit import Actor
from voice.models import RoomPin, VoiceState

NOT_OFF = (
    "{} has {} on it, and to switch it off takes the permission to moderate voice: drain it, and"
    " wait until it is empty, or have it done by who has that"
)


def with_load(servers: QuerySet[Any]) -> QuerySet[Any]:
    """Servers with what counts against their soft limit, who that is, and their rooms."""
    states = VoiceState.objects.all()
    return servers.annotate(
        load=counted(states, "server"),
        people=counted(states, "server", "user", distinct=True),
        rooms=counted(RoomPin.objects.all(), "server"),
    )


class MoveOff(Action):
    name, label = "move_off", "Move everyone off"
    needs = ("regions.change_server", MODERATE)

    def question(self, rows: Any) -> str:
        people = many(sum(row.people for row in rows), "person", "people")
        rooms = many(sum(row.rooms for row in rows), "room")
        usable = health.usable(now=timezone.now())
        told = (
            f"This drains {many(len(rows), 'server')} and disconnects {people} in {rooms}. They"
            " keep their seats, and come back elsewhere with their next token."
        )
        if usable.exclude(pk__in=[row.pk for row in rows]).exists():
            return told
        return (
            f"{told} But no other server takes new rooms now: they cannot come back until one does."
        )

    def effect(self, row: Any) -> str:
        return f"{many(row.people, 'person', 'people')} in {many(row.rooms, 'room')}"

    def do(self, row: Server, *, by: str, values: Any) -> str:
        moved = upkeep.move_off(server=row, by=Actor(by))
        told = f"drained; {many(moved.rooms, 'room')} with {many(moved.connections, 'connection')}"
        left = f"; {many(moved.left, 'room')} left: do it again" if moved.left else ""
        return f"{told} moved off{left}"


def may_switch_off(request: HttpRequest, form: Any) -> None:
    """What moves people off takes the permission to moderate voice, by a form's box as by MoveOff;
    it is noted who did it. InvalidFormBody for who may not."""
    if "is_active" not in form.changed_data or form.cleaned_data["is_active"]:
        return
    there = with_load(Server.objects.filter(pk=form.instance.pk, is_active=True)).first()
    if there is None or not (there.rooms or there.load):
        return
    carrying = f"{many(there.rooms, 'room')} and {many(there.people, 'person', 'people')}"
    if not request.user.has_perm(MODERATE):
        raise InvalidFormBody.at(
            "is_active", "MISSING_PERMISSIONS", NOT_OFF.format(there, carrying)
        )
    upkeep.note_off(server=there, carrying=carrying, by=Actor(actor(request)))


def webhook_url(request: HttpRequest, server: Server) -> str:
    """Where LiveKit tells us what happens on this server."""
    address = reverse("livekit-webhook", args=[server.region_id, server.slug])
    return request.build_absolute_uri(address)


def tell_webhook(page: Any, request: HttpRequest, server: Server) -> None:
    """What is still to be done for a server that is new."""
    told = format_html(
        "Put the webhook address of {} into LiveKit's configuration (webhook: urls:):"
        ' <code class="voice-copy">{}</code>',
        server,
        webhook_url(request, server),
    )
    page.message_user(request, told)


admin.site.unregister(Server)


@admin.register(Server)
class VoiceServerAdmin(ServerAdmin):
    verbs: ClassVar[Any] = (*ServerAdmin.verbs, MoveOff())
    list_display: Any = (
        *("__str__", "state", "mode", "occupancy", "room_count"),
        *("probed", "webhook", "last_error"),
    )
    readonly_fields: ClassVar[Any] = (*ServerAdmin.readonly_fields, "webhook_address")
    fieldsets: ClassVar[Any] = (
        *ServerAdmin.fieldsets,
        ("LiveKit's configuration", {"fields": ("webhook_address",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Server]:
        return with_load(super().get_queryset(request))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            may_switch_off(request, form)
        super().save_model(request, obj, form, change)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj else ServerAdmin.fieldsets[:-1]

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Server | None:
        server = super().get_object(request, *args, **kwargs)
        if server is not None:
            vars(server)["webhook_url"] = webhook_url(request, server)
        return server

    def response_add(self, request: HttpRequest, obj: Server, *args: Any, **kwargs: Any) -> Any:
        tell_webhook(self, request, obj)
        return super().response_add(request, obj, *args, **kwargs)

    @admin.display(description="webhooks")
    def webhook_address(self, server: Server) -> SafeString:
        """Ready to be copied, at the address under which this page was asked for."""
        return format_html(
            '<pre class="voice-copy">webhook:\n  api_key: {}\n  urls: ["{}"]\n'
            "room:\n  auto_create: false</pre>",
            server.api_key,
            vars(server).get("webhook_url", ""),
        )

    @admin.display(ordering="load")
    def occupancy(self, server: Any) -> str:
        limit = server.soft_connection_limit
        return f"{server.load} / {limit}" if limit else str(server.load)

    @admin.display(ordering="rooms", description="rooms")
    def room_count(self, server: Any) -> int:
        return int(server.rooms)

    @admin.display(ordering="webhook_at", description="last webhook")
    def webhook(self, server: Server) -> str:
        return ago(server.webhook_at)
