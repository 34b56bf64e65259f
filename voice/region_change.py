"""The region change: everybody is out, the pin goes, and the next token is for the new region."""

from django.utils import timezone

from fluxer.directory.models import Channel
from voice import audit, due, events, pins
from voice.audit import Actor
from voice.models import EndReason, VoiceState
from voice.states import endings


def begin(channel: Channel, *, by: Actor) -> None:
    """In the transaction that saves the region, with the channel locked.

    A worker takes the people out of the old room. Those who come after this stay, on the same
    server too: they have connections of their own.
    """
    states = list(VoiceState.objects.filter(channel=channel))
    _, rooms = endings.end_channel(channel, reason=EndReason.REGION_CHANGED, now=timezone.now())
    for state in states:
        events.server_changed(
            guild_id=channel.guild_id,
            channel_id=channel.pk,
            user_id=state.user_id,
            connection_id=state.connection_id,
            reason="region_changed",
        )
    audit.write(by, "change_region", guild_id=channel.guild_id, channel_id=channel.pk)
    due.mark(*(rooms | unpin(channel)))


def unpin(channel: Channel) -> endings.Rooms:
    """The pin goes; the room that it named, to be marked due."""
    server_id = pins.remove(channel_id=channel.pk)
    return set() if server_id is None else {(server_id, endings.room_of(channel))}
