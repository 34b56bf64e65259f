"""What LiveKit says of a participant, held against what we know: "The life of a connection".

`confirm` is shared by webhook, settle and sweep. All that leads to a removal first makes the end
final in the same transaction, because a removal names only an identity: it must never be able to
hit a visit that is allowed.
"""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from voice import events, pins
from voice.grants import Rights
from voice.models import EndReason, VoiceState
from voice.objects import voice_state
from voice.states.endings import end, room_of
from voice.states.returns import returned
from voice.states.visit import (
    OLD_NEWS,
    REMOVE,
    RIGHTS,
    Judged,
    Verdict,
    Visit,
    apply,
    decided,
    rights_now,
)

_VISIT = (
    "joined_at", "seat_until", "participant_sid", "joined_at_ms", "room_sid", "missing_since",
    "version",
)  # fmt: skip

log = logging.getLogger(__name__)


@transaction.atomic
def confirm(visit: Visit, *, listed_at: datetime | None = None) -> Judged:
    """Hear that a participant is in, by a webhook or by a listing begun at `listed_at`.

    The rights are always recomputed for a new visit: that catches a join that was under way
    while a ban was committed.
    """
    if not _is_locked(visit):
        return REMOVE
    now = timezone.now()
    state = VoiceState.objects.filter(pk=visit.identity.connection_id).first()
    if state is None:
        return returned(visit, now=now, listed_at=listed_at)
    if not _belongs(visit, state):
        return REMOVE
    if state.participant_sid == visit.sid:
        return _still_there(state)
    if _is_past(visit, state, listed_at):
        return OLD_NEWS
    return _entered(visit, state, now)


def _is_locked(visit: Visit) -> bool:
    """Lock the visit's channel. False when there is none whose room has just this name."""
    return any(
        room_of(channel) == str(visit.room) for channel in lock_channels([visit.room.channel_id])
    )


def _belongs(visit: Visit, state: VoiceState) -> bool:
    return (
        state.user_id == visit.identity.user_id
        and state.channel_id == visit.room.channel_id
        and state.server_id == visit.server_id
    )


def _is_past(visit: Visit, state: VoiceState, listed_at: datetime | None) -> bool:
    """The visit is older than what we know, or was already told to be over."""
    if not state.participant_sid:
        return state.gone_sid == visit.sid
    later = visit.joined_at_ms - state.joined_at_ms
    return later < 0 or (later == 0 and listed_at is None)


def _still_there(state: VoiceState) -> Judged:
    if state.missing_since is not None:
        VoiceState.objects.filter(pk=state.pk).update(missing_since=None)
    return Judged(Verdict.IN, decided(state))


def _entered(visit: Visit, state: VoiceState, now: datetime) -> Judged:
    """A seat is taken, or a later visit follows an earlier one."""
    found = visit.look(session=None, now=now)
    rights = rights_now(found, state, now=now)
    lapsed = state.seat_until is not None and state.seat_until <= now
    if found is None or rights is None or (lapsed and found.is_full):
        reason = EndReason.NO_ACCESS if rights is None else EndReason.EXPIRED
        end([state], room=str(visit.room), reason=reason, now=now)
        return REMOVE
    _write(visit, state, rights, now)
    if found.pin is not None and found.pin.expires_at is not None:
        pins.keep(channel_id=state.channel_id, made_at=None, expiring=True)
    return Judged(Verdict.IN, rights)


def _write(visit: Visit, state: VoiceState, rights: Rights, now: datetime) -> None:
    before = voice_state(state, guild_id=None)
    state.joined_at, state.seat_until = state.joined_at or now, None
    state.participant_sid, state.joined_at_ms = visit.sid, visit.joined_at_ms
    state.room_sid = visit.room_sid or state.room_sid
    state.missing_since = None
    apply(state, rights)
    if voice_state(state, guild_id=None) != before:
        state.version += 1
        events.state_changed(state, guild_id=visit.room.guild_id)
    state.save(update_fields=[*_VISIT, *RIGHTS])
    log.info("joined connection=%s channel=%s", state.connection_id, state.channel_id)


@transaction.atomic
def left(visit: Visit, *, is_removal: bool = False, is_abort: bool = False) -> None:
    """Hear that the visit with this sid is over. One that we do not know yet is remembered.

    `is_removal`: LiveKit says that somebody put them out, so they do not return. `is_abort`: the
    attempt never became active; a seat keeps its time then.
    """
    if not _is_locked(visit):
        return
    state = VoiceState.objects.filter(pk=visit.identity.connection_id).first()
    if state is None or not _belongs(visit, state):
        return
    if state.participant_sid == visit.sid:
        reason = EndReason.DISCONNECTED if is_removal else EndReason.LOST
        end(
            [state],
            room=str(visit.room),
            reason=reason,
            now=timezone.now(),
            returns=not is_removal,
        )
    elif not state.participant_sid and not is_abort:
        VoiceState.objects.filter(pk=state.pk).update(
            gone_sid=visit.sid, gone_joined_at_ms=visit.joined_at_ms
        )
