"""Where voice is."""

from django.urls import path

from voice import viewsets

urlpatterns = [
    path(
        "channels/<snowflake:channel_id>/voice/token",
        viewsets.VoiceTokenViewSet.as_view({"post": "create"}),
        name="voice-token",
    ),
    path("webhooks/livekit", viewsets.LiveKitWebhookView.as_view(), name="livekit-webhook"),
    path(
        "webhooks/livekit/<slug:region_id>/<slug:server_id>",
        viewsets.LiveKitWebhookView.as_view(),
        name="livekit-webhook-of-server",
    ),
]
