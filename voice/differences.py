"""What a server shows, held against what we know: pure, so that nothing but values decides.

A difference is a reason to settle a room, not a verdict on anybody in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from livekit.protocol.models import ParticipantInfo

from voice import wire
from voice.grants import Rights
from voice.rooms import parse_identity


class Kind(StrEnum):
    """In what a room differs."""

    STRANGER = "stranger"  # shown, and no connection of ours on this server
    UNHEARD = "unheard"  # one of ours, in a visit that we have not heard of
    RIGHTS = "rights"  # one of ours, who may do something else than we decided
    FOUND = "found"  # one of ours that an earlier listing lacked
    MISSING = "missing"  # one of ours that is not shown
    LOST_ROOM = "lost room"  # ours are expected in a room that is not there


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them; `identity` is empty where it concerns the whole room."""

    room: str
    kind: Kind
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """One of our connections on the server, as the tables have it."""

    connection_id: str
    user_id: int
    room: str
    sid: str  # empty: a seat
    joined_at: datetime | None
    is_missing: bool
    rights: Rights


@dataclass(frozen=True, slots=True)
class Shown:
    """What the server showed: the rooms with a name of ours, and who is in those it listed.

    A room whose listing failed is in `rooms` and not in `people`: nothing is known of it.
    """

    begun_at: datetime
    rooms: frozenset[str]
    people: Mapping[str, Sequence[ParticipantInfo]]


def differences(
    shown: Shown, known: Iterable[Known], *, made_at: Mapping[str, datetime]
) -> list[Difference]:
    """In what the server and the tables differ, in the order of the rooms.

    `known`, read after the listings, are all our connections on the server; `made_at` says of the
    rooms pinned to it when they were last seen. What came after the listings began they cannot
    have shown.
    """
    ours: dict[str, dict[str, Known]] = defaultdict(dict)
    for one in known:
        ours[one.room][one.connection_id] = one
    found: list[Difference] = []
    for room in sorted(shown.people.keys() | ours.keys()):
        if room in shown.people:
            found += _inside(room, shown, ours.get(room, {}))
        elif room not in shown.rooms and made_at.get(room, shown.begun_at) < shown.begun_at:
            found.append(Difference(room, Kind.LOST_ROOM))
    return found


def _inside(room: str, shown: Shown, ours: Mapping[str, Known]) -> list[Difference]:
    found, present = [], set()
    for info in shown.people[room]:
        identity = parse_identity(info.identity)
        one = ours.get(identity.connection_id) if identity else None
        if identity is None or one is None or one.user_id != identity.user_id:
            found.append(Difference(room, Kind.STRANGER, info.identity))
            continue
        present.add(one.connection_id)
        kind = _of(info, one)
        if kind is not None:
            found.append(Difference(room, kind, info.identity))
    found += [
        Difference(room, Kind.MISSING, f"user_{one.user_id}_{one.connection_id}")
        for one in ours.values()
        if one.connection_id not in present
        and one.joined_at is not None
        and one.joined_at < shown.begun_at
    ]
    return found


def _of(info: ParticipantInfo, one: Known) -> Kind | None:
    if wire.is_unseen(info.permission):
        return Kind.STRANGER
    if info.sid != one.sid:
        return Kind.UNHEARD
    if one.is_missing:
        return Kind.FOUND
    return None if wire.agrees(info.permission, one.rights) else Kind.RIGHTS
