"""Rights in force, at once and not at the next join.

A RightsChange row was written with the change; here it is drained: the live connections concerned
are recomputed under their channel's lock, one room at a time, and the row is deleted last. A
process that dies in between loses nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from operator import or_

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from fluxer.directory import standing
from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel, RightsChange
from voice import due
from voice.models import EndReason, VoiceState
from voice.states import changes, endings
from voice.states.visit import judge

log = logging.getLogger(__name__)

_AT_ONCE = 500
Scope = RightsChange.Scope
Subject = tuple[str, int, int | None]  # scope, id, guild


def drain() -> int:
    """Recompute whatever the rows that are there now may have changed; how many rows are done.

    Two at once do the same work twice, and nothing worse. A room that is held by somebody for too
    long stops nobody else: the rows that concern it stay for the next time.
    """
    done, held = 0, set[int]()
    waiting = RightsChange.objects.order_by("pk")
    last = waiting.values_list("pk", flat=True).last() or 0
    after = 0
    while rows := list(waiting.filter(pk__gt=after, pk__lte=last)[:_AT_ONCE]):
        done += _drained(rows, held)
        after = rows[-1].pk
    return done


def _drained(rows: list[RightsChange], held: set[int]) -> int:
    """How many of the rows are done. Rooms in `held` are not tried, and those met are added."""
    about: dict[Subject, list[int]] = defaultdict(list)
    for row in rows:
        about[row.scope, row.subject_id, row.guild_id].append(row.pk)
    where = reduce(or_, (_concerned(*subject) for subject in about))
    channels = VoiceState.objects.filter(where).order_by().values_list("channel_id", flat=True)
    rooms = sorted(set(channels) - held)
    for channel_id in rooms:
        if not _recomputed(channel_id, where, is_crowd=len(rooms) > due.FEW):
            held.add(channel_id)
    done = [pk for subject, pks in about.items() if not _touches(subject, held) for pk in pks]
    RightsChange.objects.filter(pk__in=done).delete()
    return len(done)


def _touches(subject: Subject, held: set[int]) -> bool:
    return bool(held) and VoiceState.objects.filter(_concerned(*subject), channel__in=held).exists()


def _recomputed(channel_id: int, where: Q, *, is_crowd: bool) -> bool:
    try:
        recompute_channel(channel_id, where, is_crowd=is_crowd)
    except OperationalError as error:
        log.warning("rights in channel=%s stay to be recomputed: %s", channel_id, error)
        return False
    return True


def _concerned(scope: str, subject_id: int, guild_id: int | None) -> Q:
    match scope:
        case Scope.USER:
            return Q(user_id=subject_id)
        case Scope.GUILD:
            return Q(channel__guild_id=subject_id)
        case Scope.MEMBER:
            return Q(user_id=subject_id, channel__guild_id=guild_id)
        case _:
            return Q(channel_id=subject_id)


@transaction.atomic
def recompute_channel(channel_id: int, where: Q, *, is_crowd: bool = False) -> None:
    """Recompute those of one channel's connections that are concerned; one channel of a crowd."""
    for channel in lock_channels([channel_id]):
        states = VoiceState.objects.filter(where, channel=channel)
        due.mark(*recompute(channel, states), is_crowd=is_crowd)


def recompute(channel: Channel, states: Iterable[VoiceState]) -> endings.Rooms:
    """Under the channel's lock: who may no longer be here is out, the others have their rights as
    they are now. The rooms that are due are the caller's to mark."""
    now, found = timezone.now(), list(states)
    room = endings.room_of(channel)
    standings = {
        at.user_id: at
        for at in standing.read_all(
            user_ids={state.user_id for state in found}, channel_ids=[channel.pk]
        )
    }
    gone: list[VoiceState] = []
    rooms: endings.Rooms = set()
    for state in found:
        rights = judge(standings.get(state.user_id), state, now=now)
        if rights is None:
            gone.append(state)
        elif changes.write(state, {}, rights=rights, guild_id=channel.guild_id):
            rooms |= {(state.server_id, room)} if state.server_id is not None else set()
    rooms |= endings.end(gone, room=room, reason=EndReason.NO_ACCESS, now=now)
    _bar(gone)
    return rooms


def _bar(gone: Iterable[VoiceState]) -> None:
    for state in gone:
        endings.bar(Q(user_id=state.user_id, channel_id=state.channel_id))
