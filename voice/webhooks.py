"""What LiveKit tells us. Handlers may run twice, late and in any order; they compare, never obey.

Order is judged by participant sid and `joined_at_ms`, never by arrival. `num_participants` is
never used.
"""

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone
from livekit.protocol.models import DisconnectReason, ParticipantInfo
from livekit.protocol.webhook import WebhookEvent

from fluxer import counters
from fluxer.errors import FluxerError, ServiceUnavailable, Unauthorized
from fluxer.livekit import WebhookRejected, WebhookUnreadable, verify_webhook, webhook_issuer
from fluxer.secrets import SecretUnreadable
from regions import health
from regions.models import Server
from voice import due, wire
from voice.rooms import RoomName, parse_identity, parse_room_name
from voice.states.departures import finish, is_granted, throw_out
from voice.states.visit import REMOVE, Verdict, Visit
from voice.states.visits import confirm, left

log = logging.getLogger(__name__)

_NO_LEAVE = {DisconnectReason.MIGRATION, DisconnectReason.DUPLICATE_IDENTITY}
_REMOVALS = {DisconnectReason.PARTICIPANT_REMOVED, DisconnectReason.ROOM_DELETED}


class WebhookNotReadable(FluxerError):
    code, status = "INVALID_FORM_BODY", 400
    message = "The body is no webhook event"


def receive(
    *, body: bytes, authorization: str, region_id: str | None, server_id: str | None
) -> None:
    """Verify one delivery and act on it. Unknown events and rooms are fine, and nothing happens.

    Unauthorized for anything that was not signed by that server; WebhookNotReadable for a signed
    body that is no event; any other error means that LiveKit should send it again.
    """
    server = _server(authorization, region_id, server_id)
    try:
        secret = server.api_secret
    except SecretUnreadable as error:
        log.error("a webhook of %s cannot be verified: %s", server, error)
        raise ServiceUnavailable from None
    try:
        event = verify_webhook(
            body=body,
            authorization=authorization,
            key=server.api_key,
            secret=secret,
        )
    except WebhookRejected:
        counters.webhooks.labels("unknown", "rejected").inc()
        raise Unauthorized("The signature is not this server's, or not for this body") from None
    except WebhookUnreadable:
        counters.webhooks.labels("unknown", "unreadable").inc()
        raise WebhookNotReadable from None
    now = timezone.now()
    is_fresh = server.webhook_at and now - health.WEBHOOK_WRITES < server.webhook_at <= now
    if not is_fresh:
        health.webhook_seen(server.pk, now=now)
    # An event is named by who signed it, but not by us: no endless labels.
    with counters.webhook(event.event if event.event in _KNOWN else "other"):
        handle(server, event)


def _server(authorization: str, region_id: str | None, server_id: str | None) -> Server:
    """By its address, or by the key that signed, if exactly one server has that key."""
    if region_id is not None:
        found = Server.objects.filter(region_id=region_id, slug=server_id)
    else:
        found = Server.objects.filter(api_key=webhook_issuer(authorization) or "")
    servers = list(found[:2])
    if len(servers) != 1:
        counters.webhooks.labels("unknown", "rejected").inc()
        raise Unauthorized("No server, or more than one, is known by this address and key")
    return servers[0]


def handle(server: Server, event: WebhookEvent) -> None:
    """Act on a verified event."""
    handler = _HANDLERS.get(event.event)
    room = parse_room_name(event.room.name)
    if handler is not None and room is not None:
        handler(server, room, event)


def _joined(server: Server, room: RoomName, event: WebhookEvent) -> None:
    visit = _visit(server, room, event)
    with transaction.atomic():
        judged = REMOVE if visit is None else confirm(visit)
        is_stranger = judged.verdict is Verdict.REMOVE
        rights, permission = judged.rights, event.participant.permission
        if is_stranger or (rights is not None and not wire.agrees(permission, rights)):
            due.mark((server.pk, str(room)))


def _left(server: Server, room: RoomName, event: WebhookEvent) -> None:
    reason = event.participant.disconnect_reason
    visit = _visit(server, room, event)
    if visit is not None and reason not in _NO_LEAVE:
        left(visit, is_removal=reason in _REMOVALS)


def _aborted(server: Server, room: RoomName, event: WebhookEvent) -> None:
    visit = _visit(server, room, event)
    if visit is not None:
        left(visit, is_abort=True)


def _track_published(server: Server, room: RoomName, event: WebhookEvent) -> None:
    """A track that says it is something else puts its publisher out; a source that was not
    granted has the room settled. The participant of this event may be minimal."""
    identity = parse_identity(event.participant.identity)
    where: Any = {"server_id": server.pk, "room": room, "identity": identity}
    with transaction.atomic():
        if identity is not None:
            if not wire.is_honest(event.track):
                throw_out(**where)
            elif is_granted(**where, source=wire.source(event.track)):
                return
        due.mark((server.pk, str(room)))


@transaction.atomic
def _room_finished(server: Server, room: RoomName, event: WebhookEvent) -> None:
    """Whoever still has a seat there needs the room again: a settle makes it."""
    if finish(server_id=server.pk, room=room, room_sid=event.room.sid):
        due.mark((server.pk, str(room)))


def _visit(server: Server, room: RoomName, event: WebhookEvent) -> Visit | None:
    participant: ParticipantInfo = event.participant
    identity = parse_identity(participant.identity)
    if identity is None or wire.is_unseen(participant.permission):
        return None
    return Visit(
        server_id=server.pk,
        room=room,
        identity=identity,
        sid=participant.sid,
        joined_at_ms=wire.joined_at_ms(participant),
        room_sid=event.room.sid,
    )


_HANDLERS: dict[str, Any] = {
    "participant_joined": _joined,
    "participant_left": _left,
    "participant_connection_aborted": _aborted,
    "room_finished": _room_finished,
    "track_published": _track_published,
}
_KNOWN = {
    *_HANDLERS,
    *("room_started", "track_unpublished"),
    *("egress_started", "egress_updated", "egress_ended", "ingress_started", "ingress_ended"),
}
