"""What the directory's changes mean for those who are in voice: the hooks of the one seam."""

from collections.abc import Iterable, Sequence

from django.db.models import Q
from django.utils import timezone

from fluxer.directory import changes
from fluxer.directory.models import Channel
from voice import due, pins, queue
from voice.models import EndReason, VoiceState
from voice.states import endings


@changes.before_channels_deleted.register
def empty_channels(*, channel_ids: Sequence[int]) -> None:
    """Everybody is out, the pins go, and LiveKit is made to follow."""
    now = timezone.now()
    rooms: endings.Rooms = set()
    for channel in Channel.objects.filter(pk__in=channel_ids).order_by("pk"):
        _, ended = endings.end_channel(channel, reason=EndReason.CHANNEL_DELETED, now=now)
        rooms |= ended | _unpin(channel)
    due.mark(*rooms)


def _unpin(channel: Channel) -> endings.Rooms:
    server_id = pins.remove(channel_id=channel.pk)
    return set() if server_id is None else {(server_id, endings.room_of(channel))}


@changes.channels_of_users.register
def channels_of_users(*, user_ids: Sequence[int]) -> Iterable[int]:
    """Where these users have connections: to be locked before anything ends."""
    states = VoiceState.objects.filter(user_id__in=user_ids).order_by()
    return list(states.values_list("channel_id", flat=True).distinct())


@changes.before_users_removed.register
def put_out(
    *,
    user_ids: Sequence[int],
    guild_id: int | None = None,
    channel_id: int | None = None,
) -> None:
    """These users are out of the guild's channels, of the channel, or of all."""
    users = list(user_ids)
    channels = Channel.objects.all()
    if guild_id is not None:
        channels = channels.filter(guild_id=guild_id)
    if channel_id is not None:
        channels = channels.filter(pk=channel_id)
    occupied = channels.filter(voice_states__user_id__in=users).distinct().order_by("pk")
    now = timezone.now()
    rooms: endings.Rooms = set()
    for channel in occupied:
        states = VoiceState.objects.filter(channel=channel, user_id__in=users)
        room = endings.room_of(channel)
        rooms |= endings.end(states, room=room, reason=EndReason.NO_ACCESS, now=now)
    endings.bar(Q(user_id__in=users, channel_id__in=channels.values("pk")))
    due.mark(*rooms)


@changes.before_region_change.register
def change_region(*, channel_id: int, region_id: str | None) -> None:
    """All connections of the channel end and its pin goes; the next token is for the new region."""
    channel = Channel.objects.get(pk=channel_id)
    _, rooms = endings.end_channel(channel, reason=EndReason.REGION_CHANGED, now=timezone.now())
    due.mark(*(rooms | _unpin(channel)))


@changes.drain.register
def drain_soon() -> None:
    """Have the worker recompute the rights that may have changed."""
    queue.after_commit("voice.tasks.drain_rights_changes")
