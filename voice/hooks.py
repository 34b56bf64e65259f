"""What the directory's changes mean for those who are in voice: the hooks of the one seam."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import Q
from django.utils import timezone

from fluxer import acting
from fluxer.directory import changes
from fluxer.directory.models import Channel
from voice import audit, due, events, queue, region_change
from voice.audit import Actor
from voice.channels import shown
from voice.models import EndReason, VoiceState
from voice.states import endings


@changes.before_channels_deleted.register
def empty_channels(*, channel_ids: Sequence[int]) -> None:
    """Everybody is out, the pins go, and LiveKit is made to follow."""
    now = timezone.now()
    rooms: endings.Rooms = set()
    for channel in Channel.objects.filter(pk__in=channel_ids).order_by("pk"):
        count, ended = endings.end_channel(channel, reason=EndReason.CHANNEL_DELETED, now=now)
        rooms |= ended | region_change.unpin(channel)
        if count:
            by = Actor(acting.name(), reason="The channel was deleted")
            audit.write(by, "disconnect_channel", guild_id=channel.guild_id, channel_id=channel.pk)
    due.mark(*rooms)


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
        states = list(VoiceState.objects.filter(channel=channel, user_id__in=users))
        room = endings.room_of(channel)
        rooms |= endings.end(states, room=room, reason=EndReason.NO_ACCESS, now=now)
        for user_id in sorted({state.user_id for state in states}):
            audit.write(
                Actor(acting.name(), reason="No longer there: removed, or deleted"),
                "disconnect",
                guild_id=channel.guild_id,
                channel_id=channel.pk,
                target_id=user_id,
            )
    endings.bar(Q(user_id__in=users, channel_id__in=channels.values("pk")))
    if guild_id is not None:
        # A return that is under way sees the member, and we do not see it: look again, later.
        for user_id in users:
            changes.note(changes.Scope.MEMBER, user_id, guild_id=guild_id)
    due.mark(*rooms)


@changes.before_region_change.register
def change_region(*, channel_id: int, region_id: str | None) -> None:
    """By the back end, or by staff in its place."""
    channel = Channel.objects.get(pk=channel_id)
    region_change.begin(channel, by=Actor(acting.name()))


@changes.channel_changed.register
def tell_of_channel(*, channel_id: int, names: Collection[str]) -> None:
    """CHANNEL_UPDATE, if it is something that people are shown."""
    channel = Channel.objects.get(pk=channel_id)
    data = shown(channel)
    if not data.keys().isdisjoint(names):
        events.channel_changed(guild_id=channel.guild_id, channel_id=channel_id, data=data)


@changes.member_silenced.register
def note_silence(*, guild_id: int, user_id: int, words: Mapping[str, bool]) -> None:
    """A moderation by the back end, or by staff in its place."""
    states = VoiceState.objects.filter(user_id=user_id, channel__guild_id=guild_id)
    newest = states.order_by("-created_at", "-pk").first()
    channel_id = newest.channel_id if newest else None
    audit.words(
        Actor(acting.name()), words, guild_id=guild_id, target_id=user_id, channel_id=channel_id
    )


@changes.drain.register
def drain_soon() -> None:
    """Have the worker recompute the rights that may have changed."""
    queue.after_commit("voice.tasks.drain_rights_changes")
