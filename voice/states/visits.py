"""What LiveKit says of a participant, held against what we know: "The life of a connection".

`confirm` is shared by webhook, settle and sweep. All that leads to a removal first makes the end
final in the same transaction, because a removal names only an identity: it must never be able to
hit a visit that is allowed.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from voice import events, journal, pins
from voice.grants import Rights
from voice.models import EndedConnection, EndReason, VoiceState
from voice.objects import voice_state
from voice.states.endings import end
from voice.states.lookup import is_live, lock_room
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
    has_seat,
    rights_now,
)

_VISIT = (
    "joined_at", "seat_until", "participant_sid", "joined_at_ms", "room_sid", "missing_since",
    "version",
)  # fmt: skip


@transaction.atomic(savepoint=False)
def confirm(visit: Visit, *, listed_at: datetime | None = None, after: str = "") -> Judged:
    """Hear that a participant is in, by a webhook or by a listing begun at `listed_at`.

    `after` is the sid of the visit that we knew when the listing was begun, if it shows that one
    no more: what it shows instead came later, whatever LiveKit's clock says, which may have been
    set back. The rights are always recomputed for a new visit: that catches a join that was under
    way while a ban was committed.
    """
    if not lock_room(visit.room):
        return REMOVE
    now = timezone.now()
    state = VoiceState.objects.filter(pk=visit.identity.connection_id).first()
    if state is None:
        return returned(visit, now=now, listed_at=listed_at)
    if not _belongs(visit, state):
        return REMOVE
    if state.participant_sid == visit.sid:
        return _still_there(visit, state, listed_at)
    if _is_past(visit, state, after):
        return OLD_NEWS
    return _entered(visit, state, now)


def _belongs(visit: Visit, state: VoiceState) -> bool:
    return (
        state.user_id == visit.identity.user_id
        and state.channel_id == visit.room.channel_id
        and state.server_id == visit.server_id
    )


def _is_past(visit: Visit, state: VoiceState, after: str) -> bool:
    """The visit is older than what we know, or was already told to be over."""
    if after and after == (state.participant_sid or state.gone_sid):
        return False
    if not state.participant_sid:
        return visit.sid == state.gone_sid or visit.joined_at_ms < state.gone_joined_at_ms
    return visit.joined_at_ms <= state.joined_at_ms


def _still_there(visit: Visit, state: VoiceState, listed_at: datetime | None) -> Judged:
    """Known already. Only a listing says that somebody is there now: a webhook may be late."""
    news: dict[str, Any] = {}
    if visit.room_sid and not state.room_sid:
        news["room_sid"] = visit.room_sid
    if state.missing_since and listed_at and listed_at > state.missing_since:
        news["missing_since"] = None
    if news:
        VoiceState.objects.filter(pk=state.pk).update(**news)
    return Judged(Verdict.IN, decided(state))


def _entered(visit: Visit, state: VoiceState, now: datetime) -> Judged:
    """A seat is taken, or a later visit follows an earlier one. A seat whose time has passed is
    taken as in coming back: if there is still one, and the room is not elsewhere by now."""
    found = visit.look(session=None, now=now)
    rights = rights_now(found, state, now=now)
    if found is None or rights is None:
        end([state], room=str(visit.room), reason=EndReason.NO_ACCESS, now=now)
        return REMOVE
    if not is_live(state, now=now) and not has_seat(found, visit.server_id):
        end([state], room=str(visit.room), reason=EndReason.EXPIRED, now=now)
        return REMOVE
    _write(visit, state, rights, now)
    pins.hold(found.pin, channel_id=state.channel_id, server_id=visit.server_id, now=now)
    return Judged(Verdict.IN, rights)


def _write(visit: Visit, state: VoiceState, rights: Rights, now: datetime) -> None:
    before = voice_state(state, guild_id=None)
    state.joined_at, state.seat_until = state.joined_at or now, None
    state.participant_sid, state.joined_at_ms = visit.sid, visit.joined_at_ms
    state.room_sid = visit.room_sid  # a listing does not tell it, and the earlier visit's is past
    state.missing_since = None
    apply(state, rights)
    if voice_state(state, guild_id=None) != before:
        state.version += 1
        events.state_changed(state, guild_id=visit.room.guild_id)
    state.save(update_fields=[*_VISIT, *RIGHTS])
    journal.tell(
        "joined",
        connection_id=state.connection_id,
        user_id=state.user_id,
        channel_id=state.channel_id,
        guild_id=visit.room.guild_id,
        server=state.server_id,
    )


@transaction.atomic(savepoint=False)
def left(visit: Visit, *, is_removal: bool = False, is_abort: bool = False) -> None:
    """Hear that the visit with this sid is over. One that we do not know yet is remembered.

    `is_removal`: LiveKit says that somebody put them out, so they do not return. `is_abort`: the
    attempt never became active; a seat keeps its time then.
    """
    if not lock_room(visit.room):
        return
    state = VoiceState.objects.filter(pk=visit.identity.connection_id).first()
    if state is None:
        if not is_abort:
            _left_after_the_end(visit, is_removal=is_removal)
    elif not _belongs(visit, state):
        return
    elif state.participant_sid:
        # An identity is in once: a later visit that is over has ended the one we know, too.
        is_later = visit.joined_at_ms > state.joined_at_ms and not is_abort
        if state.participant_sid == visit.sid or is_later:
            state.participant_sid, state.joined_at_ms = visit.sid, visit.joined_at_ms
            _gone(visit, state, is_removal=is_removal)
    elif not is_abort and visit.joined_at_ms >= state.gone_joined_at_ms:
        VoiceState.objects.filter(pk=state.pk).update(
            gone_sid=visit.sid, gone_joined_at_ms=visit.joined_at_ms
        )


def _gone(visit: Visit, state: VoiceState, *, is_removal: bool) -> None:
    reason = EndReason.DISCONNECTED if is_removal else EndReason.LOST
    end([state], room=str(visit.room), reason=reason, now=timezone.now(), returns=not is_removal)


def _left_after_the_end(visit: Visit, *, is_removal: bool) -> None:
    """What ended and may return came back and is gone again, and its join is still to be told:
    old news then. Or we hear late that the end was a removal."""
    ended = EndedConnection.objects.filter(
        pk=visit.identity.connection_id,
        user_id=visit.identity.user_id,
        channel_id=visit.room.channel_id,
        server_id=visit.server_id,
        may_return_until__isnull=False,
    ).first()
    if ended is None:
        return
    if visit.sid == ended.participant_sid or visit.joined_at_ms > ended.joined_at_ms:
        ended.participant_sid, ended.joined_at_ms = visit.sid, visit.joined_at_ms
        ended.may_return_until = None if is_removal else ended.may_return_until
        ended.save(update_fields=["participant_sid", "joined_at_ms", "may_return_until"])
