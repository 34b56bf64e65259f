"""The one door to LiveKit: every call has a deadline, and fails as gone or as unavailable.

One call is a function; many at once are the same functions, described with `.later(...)` and given
to `together`.
"""

from fluxer.livekit.calls import LiveKitServer, Observer, observers
from fluxer.livekit.errors import LiveKitError, LiveKitGone, LiveKitNotAsked, LiveKitUnavailable
from fluxer.livekit.probes import ProbeResult, probe_all
from fluxer.livekit.rooms import (
    create_room,
    delete_room,
    list_participants,
    list_rooms,
    remove_participant,
    update_participant,
)
from fluxer.livekit.verbs import together
from fluxer.livekit.webhooks import (
    WebhookError,
    WebhookRejected,
    WebhookUnreadable,
    verify_webhook,
    webhook_issuer,
)

__all__ = [
    "LiveKitError",
    "LiveKitGone",
    "LiveKitNotAsked",
    "LiveKitServer",
    "LiveKitUnavailable",
    "Observer",
    "ProbeResult",
    "WebhookError",
    "WebhookRejected",
    "WebhookUnreadable",
    "create_room",
    "delete_room",
    "list_participants",
    "list_rooms",
    "observers",
    "probe_all",
    "remove_participant",
    "together",
    "update_participant",
    "verify_webhook",
    "webhook_issuer",
]
