"""Ghosts: those who should be in a room, and whom LiveKit no longer shows."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from voice.models import EndReason, VoiceState
from voice.rooms import RoomName
from voice.states.endings import end


def age(states: Sequence[VoiceState], *, room: RoomName, listed_at: datetime) -> int:
    """Hold a listing that was begun at `listed_at` against confirmed states that it lacks.

    One empty answer ends nobody: the first only notes the time, a second, begun at least
    VOICE_GHOST_GRACE later, ends them, and they may return. How many are still only missing.
    """
    absent = [s for s in states if s.joined_at is not None and s.joined_at < listed_at]
    if not absent:
        return 0
    ids = [state.connection_id for state in absent]
    with transaction.atomic():
        lock_channels([room.channel_id])
        found = VoiceState.objects.filter(pk__in=ids, joined_at__lt=listed_at)
        # Only the visit that the listing could have shown: a later one has another sid.
        known = {state.connection_id: state.participant_sid for state in absent}
        same = [state for state in found if known[state.pk] == state.participant_sid]
        limit = listed_at - timedelta(seconds=settings.VOICE_GHOST_GRACE)
        gone = [s for s in same if s.missing_since is not None and s.missing_since <= limit]
        end(gone, room=str(room), reason=EndReason.LOST, now=timezone.now(), returns=True)
        fresh = [s.pk for s in same if s.missing_since is None]
        VoiceState.objects.filter(pk__in=fresh).update(missing_since=listed_at)
    return len(same) - len(gone)
