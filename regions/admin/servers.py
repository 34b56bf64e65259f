"""The servers for staff: tried at once when they are new or changed, in words."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from fluxer.staff.actions import Action
from fluxer.staff.pages import VerbPage
from fluxer.staff.words import ago, badge, many
from regions import health, probes, servers, trial
from regions.admin.forms import ADDRESS, RESTRICTED, SecretHidden, ServerForm
from regions.models import Server

CHANGE = ("regions.change_server",)
TRIED = {*ADDRESS, "api_secret", "region", "slug"}


class Probe(Action):
    name, label, needs = "probe_now", "Probe now", CHANGE

    def question(self, rows: Any) -> str:
        return f"This asks {many(len(rows), 'server')} for a sign of life. It affects nobody."

    def begin(self, rows: Any) -> None:
        probes.probe(rows)

    def do(self, row: Server, *, by: str, values: Any) -> str:
        now = servers.get(region_id=row.region_id, server_id=row.slug)
        if now.failures:
            return f"does not answer: {now.last_error}"
        return f"answers, after {now.probe_ms or 0:.0f} ms"


class Drain(Action):
    name, label, needs = "drain", "Drain", CHANGE

    def question(self, rows: Any) -> str:
        return (
            f"This keeps new rooms off {many(len(rows), 'server')}. Nobody is disconnected: rooms"
            " that live there stay until they are empty."
        )

    def do(self, row: Server, *, by: str, values: Any) -> str:
        servers.drain(region_id=row.region_id, server_id=row.slug)
        return "takes no new rooms any more"


class Restore(Action):
    name, label, needs = "restore", "Restore", CHANGE

    def question(self, rows: Any) -> str:
        told = f"This lets {many(len(rows), 'server')} take new rooms again. It affects nobody"
        return f"{told} who is talking."

    def effect(self, row: Server) -> str:
        return "" if row.is_active else "stays inactive: make it active on its own page"

    def do(self, row: Server, *, by: str, values: Any) -> str:
        now = servers.restore(region_id=row.region_id, server_id=row.slug)
        if not now.is_active:
            return "is still inactive"
        is_up = health.state(now, now=timezone.now())["state"] in ("up", "unknown")
        return "takes new rooms again" if is_up else "takes new rooms again once it answers"


class StateFilter(admin.SimpleListFilter):
    """By health."""

    title, parameter_name = "health", "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(state, state) for state in health.STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        up = Q(down_since=None, failing_since=None)
        suspect = Q(suspect_until__gt=timezone.now())
        where = {
            "down": Q(down_since__isnull=False),
            "failing": Q(down_since=None, failing_since__isnull=False),
            "suspect": up & suspect,
            "up": up & ~suspect & Q(probed_at__isnull=False),
            "unknown": up & ~suspect & Q(probed_at=None),
        }.get(self.value() or "")
        return queryset if where is None else queryset.filter(where)


@admin.register(Server)
class ServerAdmin(SecretHidden, VerbPage):
    noun = servers
    form = ServerForm
    fixed = ("region", "slug")
    key_fields = ("slug",)
    verbs: ClassVar[Any] = (Probe(), Drain(), Restore())
    list_display: Any = (
        "__str__", "state", "mode", "endpoint", "probed", "last_error",
    )  # fmt: skip
    list_filter = (StateFilter, "is_draining", "is_active", "region")
    search_fields = ("slug", "region__id", "endpoint")
    ordering = ("region_id", "slug")
    readonly_fields: ClassVar[Any] = ("state", "probed", "probe_ms", "last_error", "webhook_at")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("region", "slug", *ADDRESS, "api_secret")}),
        ("Use", {"fields": ("is_active", "is_draining", "soft_connection_limit")}),
        ("Who may use it", {"classes": ("collapse",), "fields": RESTRICTED}),
        ("Health", {"fields": readonly_fields}),
    )

    def keys(self, row: Server) -> dict[str, str]:
        return {"region_id": row.region_id, "server_id": row.slug}

    @admin.display(description="health", ordering="down_since")
    def state(self, server: Server) -> SafeString:
        return state_badge(server)

    @admin.display(description="use")
    def mode(self, server: Server) -> str:
        """What it was told to do."""
        if not server.is_active:
            return "inactive"
        return "draining" if server.is_draining else "takes rooms"

    @admin.display(description="probed", ordering="probed_at")
    def probed(self, server: Server) -> str:
        return ago(server.probed_at)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        try_later(request, obj, form)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().changeform_view(request, *args, **kwargs)
        tell_trials(self, request)
        return response


def state_badge(server: Server) -> SafeString:
    """A server's health in a word, and since when."""
    found = health.state(server, now=timezone.now())
    since = f" since {found['since']:%m-%d %H:%M}" if found["since"] else ""
    return badge(found["state"], f"{found['state']}{since}")


def try_later(request: HttpRequest, server: Server, form: Any) -> None:
    """Have the server tried once it is saved, and no transaction is open any more."""
    if TRIED & set(form.changed_data):
        waiting = vars(request).setdefault("servers_to_try", [])
        waiting.append((server.region_id, server.slug))


def tell_trials(page: Any, request: HttpRequest) -> None:
    """Try what was saved, and say what was found. It is saved whatever that is."""
    if hasattr(request, "refusal"):  # nothing was saved
        return
    for region_id, server_id in vars(request).pop("servers_to_try", []):
        server = Server.objects.filter(region_id=region_id, slug=server_id).first()
        for finding in trial.run(server) if server else ():
            level = messages.SUCCESS if finding.ok else messages.WARNING
            page.message_user(request, f"Tried {server}: {finding.sentence}", level)
