"""What a media server's death, and its return, mean for those who were there.

Going down moves nobody: their clients are told, and the next token for a room, having just proved
that another server answers, takes the room there. If the server comes back first, nothing
happened. Only one that stays away loses its connections.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, transaction
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from regions import health
from regions.models import Server
from voice import due, events, queue
from voice.models import EndReason, VoiceState
from voice.states import endings

log = logging.getLogger(__name__)


@health.went_down.register
@transaction.atomic  # so that all of it is one write
def tell(*, server_ids: Sequence[int], now: datetime) -> None:
    """VOICE_SERVER_UPDATE, `failed_over`, for every connection there: fetch a token."""
    states = VoiceState.objects.filter(server_id__in=server_ids).order_by("pk")
    for connection_id, user_id, channel_id, guild_id in states.values_list(
        "pk", "user_id", "channel_id", "channel__guild_id"
    ):
        events.server_changed(
            guild_id=guild_id,
            channel_id=channel_id,
            user_id=user_id,
            connection_id=connection_id,
            reason="failed_over",
        )


@health.came_back.register
def catch_up(*, server_ids: Sequence[int], now: datetime) -> None:
    """What waited for the server is due, and whoever is left in its rooms is looked for at once."""
    for server_id in server_ids:
        due.wake(server_id=server_id)
        queue.after_commit("voice.tasks.sweep_server", server_id)


def lost(*, now: datetime) -> list[int]:
    """The servers that have been down for VOICE_DOWN_GRACE, if another one answers: if none does,
    it may well be us who are cut off."""
    # What was seen long ago says nothing: after a pause of ours, a probe has to come first.
    probed = Server.objects.filter(
        probed_at__gte=now - timedelta(seconds=3 * settings.VOICE_PROBE_INTERVAL)
    )
    if not probed.filter(is_active=True, down_since=None, failures=0).exists():
        return []
    grace = timedelta(seconds=settings.VOICE_DOWN_GRACE)
    gone = probed.filter(down_since__lte=now - grace, voice_states__joined_at__isnull=False)
    return list(gone.order_by("pk").distinct().values_list("pk", flat=True))


def give_up(*, server_id: int) -> int:
    """The connections of a lost server end, one room at a time, and may return; how many."""
    there = VoiceState.objects.filter(server_id=server_id, joined_at__isnull=False).order_by()
    channels = sorted(set(there.values_list("channel_id", flat=True)))
    ended = 0
    for channel_id in channels:
        try:
            ended += _give_up_room(server_id, channel_id)
        except OperationalError as error:  # a room that somebody holds keeps no other
            log.warning("channel=%s waits for the next time: %s", channel_id, error)
    return ended


@transaction.atomic
def _give_up_room(server_id: int, channel_id: int) -> int:
    ended = 0
    for channel in lock_channels([channel_id]):
        now = timezone.now()
        if server_id not in lost(now=now):
            continue  # it came back just now
        states = VoiceState.objects.filter(
            channel=channel, server_id=server_id, joined_at__isnull=False
        )
        ended += len(states)
        room = endings.room_of(channel)
        endings.end(states, room=room, reason=EndReason.LOST, now=now, returns=True)
    return ended
