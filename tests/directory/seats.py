"""Seats in rooms, to be lost."""

from datetime import timedelta

from django.utils import timezone

from regions.models import Server
from voice.models import VoiceState


def seat(user_id: int, channel_id: int, *, server: Server | None = None) -> str:
    """A seat of the user there; its connection id."""
    now = timezone.now()
    connection_id = f"conn_{user_id}_{channel_id}"
    VoiceState.objects.create(
        connection_id=connection_id,
        session=connection_id,
        user_id=user_id,
        channel_id=channel_id,
        server=server,
        seat_until=now + timedelta(minutes=1),
        created_at=now,
    )
    return connection_id


def seated() -> set[tuple[int, int]]:
    """(user, channel) of every seat."""
    return set(VoiceState.objects.values_list("user_id", "channel_id"))
