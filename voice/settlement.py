"""Make LiveKit agree with us about one room. Idempotent, and safe at any moment.

Kick, ban, move, region change, role edit, hand-made token, lost webhook and restart are all this.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from livekit.protocol.models import ParticipantInfo

from fluxer import livekit
from fluxer.livekit import LiveKitError, LiveKitUnavailable, together
from regions.models import Server
from voice import due, journal, pins, samples, wire
from voice.models import DueRoom, RoomPin, VoiceState
from voice.rooms import RoomName, parse_identity, parse_room_name
from voice.states import absences
from voice.states.departures import throw_out
from voice.states.endings import room_of
from voice.states.visit import REMOVE, Judged, Verdict, Visit, decided
from voice.states.visits import confirm

log = logging.getLogger(__name__)

CONFIRMING = timedelta(seconds=1)  # after a change: two settles can cross


def settle_room(*, server_id: int, room: str) -> bool:
    """Settle the room if it is due; False when it was not ours to settle now.

    An error of any kind changes nothing and removes nobody: the room stays due.
    """
    settled = False
    while (claimed := due.claim(server_id=server_id, room=room, now=timezone.now())) is not None:
        settled = True
        if _is_done(claimed):
            break
    return settled


def _is_done(claimed: DueRoom) -> bool:
    """Settle a claimed room once. False when it was marked again meanwhile: once more, then."""
    server, name = claimed.server, parse_room_name(claimed.room)
    if name is None:  # not a name of ours, so not ours to touch
        return due.done(claimed)
    try:
        changed, look_again = _settle(server, name)
    except (LiveKitError, OperationalError) as error:  # LiveKit away; a lock not had in time
        return _put_off(claimed, server, error)
    if not changed and look_again is None:
        return due.done(claimed)
    soon = timezone.now() + CONFIRMING
    return due.again(claimed, at=soon if changed or look_again is None else look_again)


def _settle(server: Server, room: RoomName) -> tuple[bool, datetime | None]:
    """Whether a change was sent, and when to look again at somebody who is missing.

    Raises LiveKitUnavailable when anything did not get through; what did stays done.
    """
    known, listed_at = absences.visits(server_id=server.pk, room=room), timezone.now()
    shown = livekit.list_participants(server.livekit, room=str(room))
    states = {
        state.connection_id: state
        for state in VoiceState.objects.select_related("channel").filter(
            channel_id=room.channel_id, server_id=server.pk
        )
        if room_of(state.channel) == str(room)
    }
    sids = {participant.sid for participant in shown}
    lacking = {pk: sid for pk, sid in known.items() if sid not in sids}
    calls = [
        call
        for participant in shown
        for call in _calls(server, room, participant, states, lacking, listed_at)
    ]
    # All together in the time of one: `due.lease` counts on it. What is left stays due.
    outcomes = together(calls, limit=50, within=settings.LIVEKIT_TIMEOUT)
    look_again = absences.age(lacking, room=room, listed_at=listed_at)
    if states and not shown:
        _make_again(server, room)
    elif shown:
        pins.seen(channel_id=room.channel_id, server_id=server.pk, at=listed_at)
    _tell_removals(server, room, calls, outcomes)
    _raise_failures(outcomes)
    return bool(calls), look_again


def _calls(
    server: Server,
    room: RoomName,
    participant: ParticipantInfo,
    states: dict[str, VoiceState],
    lacking: dict[str, str],
    listed_at: datetime,
) -> Sequence[Any]:
    """What LiveKit must be told about one participant; nothing, if all is as it should be."""
    judged = judge(server, room, participant, states, lacking, listed_at)
    name, identity = str(room), participant.identity
    if judged.verdict is Verdict.REMOVE:
        return [livekit.remove_participant.later(server.livekit, room=name, identity=identity)]
    if judged.rights is None or wire.agrees(participant.permission, judged.rights):
        return []
    return [
        livekit.update_participant.later(
            server.livekit,
            room=name,
            identity=identity,
            permission=wire.permission(judged.rights),
        )
    ]


def judge(
    server: Server,
    room: RoomName,
    participant: ParticipantInfo,
    states: dict[str, VoiceState],
    lacking: dict[str, str],
    listed_at: datetime,
) -> Judged:
    """The verdict on a listed participant, without a lock where nothing has changed.

    `states` are those of the room's channel on this server, read after the listing; `lacking` are
    the visits known before it that it shows no more, by connection id.
    """
    identity = parse_identity(participant.identity)
    if identity is None:
        return REMOVE
    if wire.is_unseen(participant.permission):
        # A removal names only the identity: whoever else bears it is out, too.
        throw_out(server_id=server.pk, room=room, identity=identity)
        return REMOVE
    state = states.get(identity.connection_id)
    if (
        state is not None
        and state.participant_sid == participant.sid
        and state.missing_since is None
        and state.user_id == identity.user_id
    ):
        return Judged(Verdict.IN, decided(state))
    visit = Visit(
        server_id=server.pk,
        room=room,
        identity=identity,
        sid=participant.sid,
        joined_at_ms=wire.joined_at_ms(participant),
    )
    return confirm(visit, listed_at=listed_at, after=lacking.get(identity.connection_id, ""))


def _make_again(server: Server, room: RoomName) -> None:
    """People should be in this room, and LiveKit shows nobody: it may have lost it."""
    if RoomPin.objects.filter(Q(channel_id=room.channel_id), server=server).exists():
        now = timezone.now()
        livekit.create_room(
            server.livekit,
            name=str(room),
            empty_timeout=wire.lifetime(),
            departure_timeout=wire.lifetime(),
        )
        pins.seen(channel_id=room.channel_id, server_id=server.pk, at=now)


def _tell_removals(
    server: Server, room: RoomName, calls: Sequence[Any], outcomes: Sequence[object]
) -> None:
    for call, outcome in zip(calls, outcomes, strict=True):
        if call.method != "RemoveParticipant" or isinstance(outcome, LiveKitError):
            continue
        identity = parse_identity(call.request.identity)
        is_foreign = samples.stranger_removed(identity=call.request.identity, now=timezone.now())
        journal.tell(
            "removed",
            reason="foreign" if is_foreign else "uninvited",
            connection_id=identity.connection_id if identity else None,
            user_id=identity.user_id if identity else None,
            channel_id=room.channel_id,
            guild_id=room.guild_id,
            server=server.pk,
        )


def _raise_failures(outcomes: Sequence[object]) -> None:
    """Somebody who is gone already is done; anything else is tried again, for the whole room. A
    server that did some of it is slow, perhaps, but does not hang."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, LiveKitUnavailable)]
    if len(failures) == len(outcomes) > 0:
        raise max(failures, key=lambda failure: failure.timed_out)
    if failures:
        raise LiveKitUnavailable(f"{len(failures)} of {len(outcomes)}: {failures[0]}")


def _put_off(claimed: DueRoom, server: Server, error: Exception) -> bool:
    # Never longer than a sweep: what that finds in the room waits for this, too.
    wait = min(2 ** min(claimed.attempts, 10), settings.VOICE_SWEEP_INTERVAL)
    log.warning("room %s on %s stays due: %s", claimed.room, server, error)
    done = due.again(claimed, at=timezone.now() + timedelta(seconds=wait), failed=True)
    if not (isinstance(error, LiveKitUnavailable) and error.timed_out):
        return done
    # One hanging server must not hold up a kick on another.
    until = timezone.now() + timedelta(seconds=settings.VOICE_PROBE_INTERVAL)
    due.put_off(server_id=server.pk, until=until)
    return True
