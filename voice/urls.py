"""Where voice is."""

from typing import Any

from django.urls import path

from voice import viewsets
from voice.service import VoiceOperations as Operations
from voice.viewsets import (
    AuditViewSet,
    CallOwnStateViewSet,
    ChannelStatesViewSet,
    ChannelViewSet,
    GuildOwnStateViewSet,
    GuildStatesViewSet,
    MemberViewSet,
    VoiceTokenViewSet,
)

_GUILD, _CHANNEL = "guilds/<snowflake:guild_id>", "channels/<snowflake:channel_id>"
_OWN: Any = {"get": "retrieve", "patch": "partial_update"}
_MEMBER: Any = {"patch": "partial_update"}

urlpatterns = [
    path(f"{_CHANNEL}/voice/token", VoiceTokenViewSet.as_view({"post": "create"})),
    path(f"{_CHANNEL}/voice/disconnect", ChannelViewSet.as_view({"post": "disconnect"})),
    path(f"{_CHANNEL}/voice-states", ChannelStatesViewSet.as_view({"get": "list"})),
    path(f"{_CHANNEL}/voice-states/@me", CallOwnStateViewSet.as_view(_OWN)),
    path(_CHANNEL, ChannelViewSet.as_view(_OWN)),
    path(f"{_GUILD}/voice-states", GuildStatesViewSet.as_view({"get": "list"})),
    path(f"{_GUILD}/voice-states/@me", GuildOwnStateViewSet.as_view(_OWN)),
    path(
        f"{_GUILD}/voice-states/<snowflake:user_id>",
        GuildStatesViewSet.as_view({"get": "retrieve"}),
    ),
    path(f"{_GUILD}/members/@me", MemberViewSet.as_view(_MEMBER)),
    path(f"{_GUILD}/members/<snowflake:user_id>", MemberViewSet.as_view(_MEMBER)),
    path(f"{_GUILD}/voice-audit", AuditViewSet.as_view({"get": "list"})),
    path(f"service/{_CHANNEL}/voice", Operations.as_view({"get": "pin"})),
    path(f"service/{_CHANNEL}/voice/disconnect", Operations.as_view({"post": "disconnect"})),
    path(f"service/{_CHANNEL}/voice/participants", Operations.as_view({"get": "participants"})),
    path(
        f"service/{_CHANNEL}/voice/participants/<snowflake:user_id>",
        Operations.as_view({"patch": "change", "delete": "remove"}),
    ),
    path("demo/session", viewsets.DemoSessionView.as_view()),
    path("webhooks/livekit", viewsets.LiveKitWebhookView.as_view()),
    path(
        "webhooks/livekit/<slug:region_id>/<slug:server_id>",
        viewsets.LiveKitWebhookView.as_view(),
        name="livekit-webhook",
    ),
]
