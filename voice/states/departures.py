"""Visits that end without a leave of their own: a finished room, a track that lies."""

from django.db import transaction
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from voice.models import EndReason, VoiceState
from voice.rooms import Identity, RoomName
from voice.states.endings import end
from voice.states.visit import decided


@transaction.atomic
def finish(*, server_id: int, room: RoomName, room_sid: str) -> None:
    """LiveKit closed this incarnation of the room: who was in it is gone, and may return."""
    lock_channels([room.channel_id])
    states = VoiceState.objects.filter(
        channel_id=room.channel_id,
        server_id=server_id,
        room_sid=room_sid,
        joined_at__isnull=False,
    ).exclude(room_sid="")
    end(
        list(states),
        room=str(room),
        reason=EndReason.LOST,
        now=timezone.now(),
        returns=True,
    )


def throw_out(*, server_id: int, room: RoomName, identity: Identity) -> None:
    """The connection is over for good; the room is the caller's to mark due."""
    lock_channels([room.channel_id])
    states = VoiceState.objects.filter(
        pk=identity.connection_id,
        user_id=identity.user_id,
        channel_id=room.channel_id,
        server_id=server_id,
    )
    end(list(states), room=str(room), reason=EndReason.DISCONNECTED, now=timezone.now())


def is_granted(identity: Identity, source: str) -> bool:
    """The connection is one of ours, and may publish this source."""
    state = VoiceState.objects.filter(pk=identity.connection_id).first()
    return state is not None and source in decided(state).sources
