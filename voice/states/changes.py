"""Changes to connections that live on: their flags, their rights, their channel.

Each under the lock of the channel (or both channels) concerned. `version` rises with what others
can see, and only then.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from fluxer.directory.models import Channel
from voice import events, journal
from voice.grants import Admission, Rights
from voice.models import EndReason, VoiceState
from voice.objects import voice_state
from voice.rooms import new_connection_id
from voice.states.endings import KEPT, Rooms, end, room_of
from voice.states.visit import RIGHTS, apply

SEAT = timedelta(seconds=60)  # for who moved, or joined ahead of a token
FLAGS = ("self_mute", "self_deaf", "self_video", "self_stream")
OVERRIDES = ("mute", "deaf", "speak", "stream", "video")


def write(
    state: VoiceState, changes: Mapping[str, Any], *, rights: Rights, guild_id: int | None
) -> bool:
    """Write flags or overrides, and the rights that follow; False when nothing was to be done."""
    before = voice_state(state, guild_id=guild_id)
    old = {name: getattr(state, name) for name in (*changes, *RIGHTS)}
    for name, value in changes.items():
        setattr(state, name, value)
    apply(state, rights)
    changed = [name for name, value in old.items() if getattr(state, name) != value]
    if not changed:
        return False
    if voice_state(state, guild_id=guild_id) != before:
        state.version += 1
        events.state_changed(state, guild_id=guild_id)
    state.save(update_fields=[*changed, "version"])
    return True


def override(state: VoiceState, words: Mapping[str, bool]) -> None:
    """The back end's words (`override_…`) hold for this connection's life. The rights that follow
    from them are the caller's to judge, and to `write`."""
    for name, value in words.items():
        setattr(state, name, value)
    state.save(update_fields=list(words))


def move(
    state: VoiceState,
    *,
    source: Channel,
    target: Channel,
    rights: Rights,
    admission: Admission | None,
    now: datetime,
    flags: Mapping[str, bool] | None = None,
) -> tuple[VoiceState, Rooms]:
    """The connection goes on in another channel of the guild, under a new id, with a seat.

    The old id points to the new one. A seat of 60 s, without server: the next token places it.
    The rooms that are due are the caller's to mark.
    """
    connection_id = new_connection_id()
    rooms = end(
        [state],
        room=room_of(source),
        reason=EndReason.REPLACED,
        now=now,
        replaced_by=connection_id,
    )
    kept = {name: getattr(state, name) for name in KEPT if name not in _LEFT_BEHIND}
    is_own_session = state.session == state.connection_id
    moved = VoiceState(
        **kept,
        connection_id=connection_id,
        user_id=state.user_id,
        channel=target,
        seat_until=now + SEAT,
        created_at=now,
    )
    moved.session = connection_id if is_own_session else state.session
    moved.version = state.version + 2  # the old id's end was one more
    moved.admitted = admission is not None
    moved.admitted_speak = bool(admission and admission.speak)
    moved.admitted_stream = bool(admission and admission.stream)
    for name, value in (flags or {}).items():
        setattr(moved, name, value)
    apply(moved, rights)
    moved.save(force_insert=True)
    events.state_changed(moved, guild_id=target.guild_id)
    journal.tell(
        "moved",
        connection_id=connection_id,
        user_id=state.user_id,
        channel_id=target.pk,
        guild_id=target.guild_id,
    )
    return moved, rooms


# What belongs to the visit, or to the connection in that channel only.
_LEFT_BEHIND: Collection[str] = {
    "participant_sid",
    "joined_at_ms",
    "admitted",
    "admitted_speak",
    "admitted_stream",
    *(f"override_{name}" for name in OVERRIDES),
}
