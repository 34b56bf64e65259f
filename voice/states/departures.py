"""Visits that end without a leave of their own: a finished room, a track that lies."""

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from voice import pins
from voice.models import EndReason, VoiceState
from voice.rooms import Identity, RoomName
from voice.states.endings import bar, end
from voice.states.lookup import lock_room
from voice.states.visit import decided


@transaction.atomic(savepoint=False)
def finish(*, server_id: int, room: RoomName, room_sid: str) -> bool:
    """LiveKit closed this incarnation of the room: who was in it is gone, and may return.

    Whether the room is still needed: somebody has a seat there, or is in another incarnation.
    """
    if not lock_room(room):
        return False
    here = VoiceState.objects.filter(channel_id=room.channel_id, server_id=server_id)
    visitors = here.filter(room_sid=room_sid, joined_at__isnull=False).exclude(room_sid="")
    end(
        list(visitors),
        room=str(room),
        reason=EndReason.LOST,
        now=timezone.now(),
        returns=True,
    )
    pins.cool(channel_id=room.channel_id, server_id=server_id)
    return here.exists()


@transaction.atomic(savepoint=False)
def throw_out(*, server_id: int, room: RoomName, identity: Identity) -> None:
    """The connection is over for good; the room is the caller's to mark due."""
    if not lock_room(room):
        return
    states = VoiceState.objects.filter(
        pk=identity.connection_id,
        user_id=identity.user_id,
        channel_id=room.channel_id,
        server_id=server_id,
    )
    end(list(states), room=str(room), reason=EndReason.DISCONNECTED, now=timezone.now())
    bar(Q(pk=identity.connection_id, channel_id=room.channel_id, server_id=server_id))


def is_granted(*, server_id: int, room: RoomName, identity: Identity, source: str) -> bool:
    """The connection is one of ours in this room, and may publish this source."""
    state = VoiceState.objects.filter(
        pk=identity.connection_id,
        user_id=identity.user_id,
        channel_id=room.channel_id,
        server_id=server_id,
    ).first()
    return state is not None and source in decided(state).sources
