"""The routes of voice for people and LiveKit: each parses, calls and renders."""

from voice.viewsets.channels import ChannelViewSet
from voice.viewsets.demo import DemoSessionView
from voice.viewsets.moderation import AuditViewSet, MemberViewSet
from voice.viewsets.requests import actor, parsed
from voice.viewsets.states import (
    CallOwnStateViewSet,
    ChannelStatesViewSet,
    GuildOwnStateViewSet,
    GuildStatesViewSet,
)
from voice.viewsets.tokens import VoiceTokenViewSet
from voice.viewsets.webhooks import LiveKitWebhookView

__all__ = [
    "AuditViewSet",
    "CallOwnStateViewSet",
    "ChannelStatesViewSet",
    "ChannelViewSet",
    "DemoSessionView",
    "GuildOwnStateViewSet",
    "GuildStatesViewSet",
    "LiveKitWebhookView",
    "MemberViewSet",
    "VoiceTokenViewSet",
    "actor",
    "parsed",
]
