"""Ghosts: those who should be in a room, and whom LiveKit no longer shows."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from voice.models import EndReason, VoiceState
from voice.rooms import RoomName
from voice.states.endings import end
from voice.states.lookup import lock_room


def visits(*, server_id: int, room: RoomName) -> dict[str, str]:
    """The latest visit that we know of each connection in the room: its sid, by connection id.
    That of a seat is one that was told to be over.

    Read it before the listing that it is held against is begun: no clock can then make a visit
    look older than the listing.
    """
    states = VoiceState.objects.filter(channel_id=room.channel_id, server_id=server_id)
    sids = states.values_list("connection_id", "participant_sid", "gone_sid")
    return {pk: sid or gone_sid for pk, sid, gone_sid in sids if sid or gone_sid}


def age(absent: Mapping[str, str], *, room: RoomName, listed_at: datetime) -> datetime | None:
    """Hold a listing that was begun at `listed_at` against those of `visits` that it lacks.

    One empty answer ends nobody: the first only notes the time, a second, begun at least
    VOICE_GHOST_GRACE later, ends them, and they may return. The answer is when to list again for
    those who are only missing as yet; None when there are none.
    """
    if not absent:
        return None
    grace = timedelta(seconds=settings.VOICE_GHOST_GRACE)
    with transaction.atomic():
        if not lock_room(room):
            return None
        found = VoiceState.objects.filter(pk__in=absent, channel_id=room.channel_id)
        # Only the visit that the listing could have shown: a later one has another sid.
        same = [state for state in found if state.participant_sid == absent[state.pk]]
        # One that lies ahead is of a clock that was set back since, or of a later listing.
        since = {s.pk: min(s.missing_since or listed_at, listed_at) for s in same}
        gone = [state for state in same if since[state.pk] + grace <= listed_at]
        end(gone, room=str(room), reason=EndReason.LOST, now=timezone.now(), returns=True)
        fresh = [state.pk for state in same if state.missing_since != since[state.pk]]
        if fresh:
            VoiceState.objects.filter(pk__in=fresh).update(missing_since=listed_at)
    waiting = since.keys() - {state.pk for state in gone}
    return min((since[pk] + grace for pk in waiting), default=None)
