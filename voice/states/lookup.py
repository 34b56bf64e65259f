"""Which connection is meant: by its id, through whatever replaced it, by session, or the newest."""

from collections.abc import Iterable

from django.db.models import QuerySet

from voice.models import EndedConnection, VoiceState

_HOPS = 32  # a chain longer than this is nobody's


def current_id(connection_id: str, *, user_id: int) -> str:
    """The id that this one of the user's connections goes by now, through any number of moves."""
    current = connection_id
    for _ in range(_HOPS):
        ended = EndedConnection.objects.filter(pk=current, user_id=user_id).first()
        if ended is None or not ended.replaced_by:
            break
        current = ended.replaced_by
    return current


def ended(connection_id: str, *, user_id: int) -> EndedConnection | None:
    """What is remembered of the last of the user's connections under this id."""
    current = current_id(connection_id, user_id=user_id)
    return EndedConnection.objects.filter(pk=current, user_id=user_id).first()


def is_own(connection_id: str, *, user_id: int) -> bool:
    """The connection is the user's, live or remembered."""
    mine = {"pk": connection_id, "user_id": user_id}
    return (
        VoiceState.objects.filter(**mine).exists()
        or EndedConnection.objects.filter(**mine).exists()
    )


def live(
    *,
    user_id: int,
    guild_id: int | None = None,
    channel_id: int | None = None,
) -> QuerySet[VoiceState]:
    """The user's connections in a guild or in one channel, newest first."""
    states = VoiceState.objects.select_related("channel").filter(user_id=user_id)
    if channel_id is not None:
        states = states.filter(channel_id=channel_id)
    else:
        states = states.filter(channel__guild=guild_id)
    return states.order_by("-created_at", "-connection_id")


def pick(
    states: Iterable[VoiceState], *, user_id: int, connection_id: str | None, session: str | None
) -> VoiceState | None:
    """The one that is named; else this session's and no other; else the newest."""
    found = list(states)
    if connection_id is not None:
        current = current_id(connection_id, user_id=user_id)
        return next((state for state in found if state.pk == current), None)
    if session is not None:
        return next((state for state in found if state.session == session), None)
    return next(iter(found), None)
