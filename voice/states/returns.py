"""Coming back: a connection that LiveKit lost, or whose seat lapsed, under its old identity."""

from dataclasses import asdict
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from fluxer.directory import changes
from voice import events, journal, pins
from voice.grants import Rights
from voice.look import Look
from voice.models import EndedConnection, VoiceState
from voice.states.endings import KEPT, bar
from voice.states.visit import OLD_NEWS, REMOVE, Judged, Verdict, Visit, has_seat, rights_now


def returned(visit: Visit, *, now: datetime, listed_at: datetime | None) -> Judged:
    """An identity without a state, under the channel's lock: live again, or out for good.

    It returns to the same server within its window, if the right and a seat are still there, the
    room is pinned there or not at all, and its session has not joined elsewhere. Flags, rights
    and version go on. What is told of the visit that ended, or of an earlier one, is old news.
    """
    ended = _away(visit, now)
    if ended is None:
        return REMOVE
    if _is_past(visit, ended, listed_at):
        return OLD_NEWS
    found = visit.look(session=ended.session, now=now)
    rights = rights_now(found, ended, now=now)
    may_sit = found is not None and has_seat(found, visit.server_id)
    if found is None or rights is None or not may_sit or _has_gone_on(ended, found):
        bar(Q(pk=ended.pk))
        return REMOVE
    if not _revive(visit, ended, rights, now):
        bar(Q(pk=ended.pk))
        return REMOVE
    pins.hold(found.pin, channel_id=ended.channel_id, server_id=visit.server_id, now=now)
    _look_again(visit)
    return Judged(Verdict.IN, rights)


def _look_again(visit: Visit) -> None:
    """Rights that changed while this was under way did not find anybody here."""
    user_id, guild_id = visit.identity.user_id, visit.room.guild_id
    if guild_id is None:
        changes.note(changes.Scope.CHANNEL, visit.room.channel_id)
    else:
        changes.note(changes.Scope.MEMBER, user_id, guild_id=guild_id)


def _away(visit: Visit, now: datetime) -> EndedConnection | None:
    return EndedConnection.objects.filter(
        pk=visit.identity.connection_id,
        user_id=visit.identity.user_id,
        channel_id=visit.room.channel_id,
        server_id=visit.server_id,
        may_return_until__gt=now,
    ).first()


def _is_past(visit: Visit, ended: EndedConnection, listed_at: datetime | None) -> bool:
    if listed_at is not None:
        # A listing begun after the end shows who is in, whatever we heard before.
        return listed_at <= ended.ended_at
    return visit.sid == ended.participant_sid or visit.joined_at_ms < ended.joined_at_ms


def _has_gone_on(ended: EndedConnection, found: Look) -> bool:
    """Its session has another connection, or had one since."""
    if found.of_session(ended.session) is not None:
        return True
    later = EndedConnection.objects.filter(user_id=ended.user_id, session=ended.session)
    return later.filter(ended_at__gt=ended.ended_at).exclude(pk=ended.pk).exists()


def _revive(visit: Visit, ended: EndedConnection, rights: Rights, now: datetime) -> bool:
    """False when its session came in elsewhere at this moment, under the lock of that channel."""
    kept = {name: getattr(ended, name) for name in KEPT}
    fresh = {
        "participant_sid": visit.sid,
        "joined_at_ms": visit.joined_at_ms,
        "version": ended.version + 1,
        **asdict(rights),
    }
    state = VoiceState(
        **(kept | fresh),
        connection_id=ended.connection_id,
        user_id=ended.user_id,
        channel_id=ended.channel_id,
        server_id=ended.server_id,
        joined_at=now,
        room_sid=visit.room_sid,
        created_at=now,
    )
    try:
        with transaction.atomic():
            state.save(force_insert=True)
    except IntegrityError:
        return False
    EndedConnection.objects.filter(pk=ended.pk).delete()
    events.state_changed(state, guild_id=visit.room.guild_id)
    journal.tell(
        "returned",
        connection_id=ended.connection_id,
        user_id=ended.user_id,
        channel_id=ended.channel_id,
        guild_id=visit.room.guild_id,
        server=ended.server_id,
    )
    return True
