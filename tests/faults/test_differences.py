"""What is shown, held against what is known: every kind of difference, and no other."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol.models import ParticipantInfo

from voice import wire
from voice.differences import Difference, Kind, Known, Shown, differences
from voice.grants import Rights

ROOM, OTHER = "guild_1_channel_2", "dm_3"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BEFORE, AFTER = NOON - timedelta(seconds=5), NOON + timedelta(seconds=5)
ALL = Rights(False, False, False, True, True, True)
QUIET = Rights(True, False, False, False, True, True)


def person(n: int = 1, *, sid: str = "", rights: Rights = ALL, **extra: bool) -> ParticipantInfo:
    permission = wire.permission(rights)
    for name, value in extra.items():
        setattr(permission, name, value)
    identity = f"user_{n}_conn_{n}"
    return ParticipantInfo(identity=identity, sid=sid or f"PA_{n}", permission=permission)


def known(
    n: int = 1,
    *,
    room: str = ROOM,
    sid: str | None = None,
    joined_at: datetime | None = BEFORE,
    is_missing: bool = False,
    rights: Rights = ALL,
    user_id: int = 0,
) -> Known:
    sid = f"PA_{n}" if sid is None else sid
    return Known(f"conn_{n}", user_id or n, room, sid, joined_at, is_missing, rights)


def shown(*people: ParticipantInfo, room: str = ROOM, also: tuple[str, ...] = ()) -> Shown:
    return Shown(NOON, frozenset({room, *also}), {room: people})


NOTHING = Shown(NOON, frozenset(), {})


def kinds(seen: Shown, *ours: Known, made_at: dict[str, datetime] | None = None) -> list[Kind]:
    found = differences(seen, ours, made_at={ROOM: BEFORE} if made_at is None else made_at)
    return [difference.kind for difference in found]


def test_what_agrees_is_no_difference():
    assert kinds(shown(person())) == [Kind.STRANGER]
    assert kinds(shown(person()), known()) == []
    assert kinds(shown()) == []
    assert kinds(NOTHING) == []


def test_who_is_not_known_here_is_a_stranger():
    assert kinds(shown(person()), known(room=OTHER)) == [Kind.STRANGER]
    assert kinds(shown(person()), known(user_id=9)) == [Kind.STRANGER, Kind.MISSING]
    assert kinds(shown(ParticipantInfo(identity="spy"))) == [Kind.STRANGER]
    assert kinds(shown(person(hidden=True)), known()) == [Kind.STRANGER]
    assert kinds(shown(person(recorder=True)), known()) == [Kind.STRANGER]


def test_a_visit_that_we_have_not_heard_of():
    assert kinds(shown(person()), known(sid="", joined_at=None)) == [Kind.UNHEARD]
    assert kinds(shown(person(sid="PA_later")), known()) == [Kind.UNHEARD]


def test_a_permission_that_is_not_what_was_decided():
    assert kinds(shown(person(rights=QUIET)), known()) == [Kind.RIGHTS]
    assert kinds(shown(person(can_update_metadata=True)), known()) == [Kind.RIGHTS]
    assert kinds(shown(person(rights=QUIET)), known(rights=QUIET)) == []


def test_who_was_confirmed_before_and_is_not_shown_is_missing():
    assert kinds(shown(), known()) == [Kind.MISSING]
    assert kinds(shown(), known(joined_at=NOON)) == []
    assert kinds(shown(), known(joined_at=AFTER)) == []
    assert kinds(shown(), known(sid="", joined_at=None)) == []
    assert kinds(shown(person()), known(is_missing=True)) == [Kind.FOUND]


def test_a_room_that_is_not_there_is_lost_if_ours_are_expected_in_it():
    assert kinds(NOTHING, known()) == [Kind.LOST_ROOM]
    assert kinds(NOTHING, known(sid="", joined_at=None)) == [Kind.LOST_ROOM]
    assert kinds(NOTHING, known(), made_at={ROOM: AFTER}) == []
    assert kinds(NOTHING, known(), made_at={}) == []
    assert kinds(NOTHING) == []


def test_of_a_room_whose_listing_failed_nothing_is_known():
    unlisted = Shown(NOON, frozenset({ROOM}), {})

    assert kinds(unlisted, known()) == []
    assert kinds(shown(room=OTHER, also=(ROOM,)), known()) == []


ROOMS = st.sampled_from([ROOM, OTHER])
PEOPLE = st.lists(st.integers(1, 4), unique=True)


@given(listed=st.dictionaries(ROOMS, PEOPLE), ours=st.dictionaries(ROOMS, PEOPLE))
def test_only_rooms_in_which_somebody_differs_are_named(
    listed: dict[str, list[int]], ours: dict[str, list[int]]
):
    here = {n: room for room, people in ours.items() for n in people}
    states = [known(n, room=room) for n, room in here.items()]
    seen = Shown(NOON, frozenset(listed), {r: [person(n) for n in p] for r, p in listed.items()})

    found = differences(seen, states, made_at=dict.fromkeys((ROOM, OTHER), BEFORE))

    expected = {
        room
        for room in (ROOM, OTHER)
        if set(listed.get(room, [])) != {n for n, at in here.items() if at == room}
    }
    assert {difference.room for difference in found} == expected
    assert found == sorted(found, key=lambda difference: difference.room)
    assert all(isinstance(difference, Difference) for difference in found)
