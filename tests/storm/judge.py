"""Is it true? While it storms: the limits. At rest: who is in may be, and is in LiveKit's lists."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import connection
from django.utils import timezone

from fluxer.directory.standing import read_all
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from voice import wire
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState
from voice.rooms import parse_room_name
from voice.states.endings import room_of
from voice.states.visit import decided, judge

_OVERFULL = """
SELECT c.id, count(DISTINCT v.user_id), c.user_limit
FROM voice_voicestate v JOIN directory_channel c ON c.id = v.channel_id
WHERE c.user_limit > 0 AND (v.joined_at IS NOT NULL OR v.seat_until > now())
GROUP BY c.id HAVING count(DISTINCT v.user_id) > c.user_limit
"""


class Watch:
    """Looks again and again, while it storms: whose limit is exceeded, and who is out for good."""

    def __init__(self) -> None:
        self.looks = 0
        self.exceeded: set[str] = set()
        self.out: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        try:
            while not self._stop.wait(0.1):
                with connection.cursor() as cursor:
                    cursor.execute(_OVERFULL)
                    for channel, users, limit in cursor.fetchall():
                        self.exceeded.add(f"{users} users in channel {channel}, limit {limit}")
                self.out |= out_for_good()
                self.looks += 1
        finally:
            connection.close()

    def two_looks(self) -> None:
        """Wait until what is there now has been seen."""
        until, enough = time.monotonic() + 10, self.looks + 2
        while self.looks < enough:
            assert self._thread.is_alive(), "the watch died"
            assert time.monotonic() < until, "the watch is stuck"
            time.sleep(0.05)

    def stop(self) -> bool:
        """False: it died before, and saw nothing since."""
        was_alive = self._thread.is_alive()
        self._stop.set()
        self._thread.join(10)
        return was_alive


def out_for_good() -> set[str]:
    """The connections that must not live again, of those that are not forgotten yet."""
    ended = EndedConnection.objects.filter(may_return_until=None)
    return set(ended.values_list("connection_id", flat=True))


def disagreements(fakes: Collection[FakeLiveKit], *, over: Iterable[str] = ()) -> list[str]:
    """Every way in which the tables and the servers' lists differ now; at rest there is none."""
    now = timezone.now()
    states = list(VoiceState.objects.select_related("channel"))
    found = [f"due: {row}" for row in DueRoom.objects.select_related("server")]
    found += _of_servers(fakes, states)
    pins = {pin.channel_id: pin for pin in RoomPin.objects.all()}
    occupied = {state.channel_id for state in states}
    for channel_id, pin in pins.items():
        if channel_id not in occupied and (pin.expires_at is None or pin.expires_at < now):
            found.append(f"pin without reason: {pin}, expires {pin.expires_at}")
    for state in states:
        pin_of = pins.get(state.channel_id)
        if state.server_id and (pin_of is None or pin_of.server_id != state.server_id):
            found.append(f"{state} is on server {state.server_id}, the room on {pin_of}")
    found += _of_rights([state for state in states if state.joined_at is not None], now)
    ended = set(over)
    found += [f"{state} lives, and was ended for good" for state in states if state.pk in ended]
    return found


def _of_rights(joined: Collection[VoiceState], now: datetime) -> list[str]:
    """Who is in without a right to be, or with other rights than the directory gives them."""
    standings = {
        (standing.user_id, standing.channel_id): standing
        for standing in read_all(
            user_ids={state.user_id for state in joined},
            channel_ids={state.channel_id for state in joined},
        )
    }
    found = []
    for state in joined:
        rights = judge(standings.get((state.user_id, state.channel_id)), state, now=now)
        if rights is None:
            found.append(f"{state} may not be there")
        elif rights != decided(state):
            found.append(f"{state} has {decided(state)}, and should have {rights}")
    return found


def _of_servers(fakes: Collection[FakeLiveKit], states: list[VoiceState]) -> list[str]:
    found = []
    by_url = {fake.api_url: fake for fake in fakes}
    for server in Server.objects.all():
        rooms = by_url[server.api_url].rooms
        shown = {
            (room.name, info.identity): info
            for room in rooms.listing([])
            for info in rooms.people(room.name)
            if parse_room_name(room.name)
        }
        ours = {
            (room_of(state.channel), f"user_{state.user_id}_{state.pk}"): state
            for state in states
            if state.server_id == server.pk and state.joined_at is not None
        }
        found += [f"{server}: stranger {key}" for key in shown.keys() - ours.keys()]
        found += [f"{server}: ghost {key}" for key in ours.keys() - shown.keys()]
        for key in shown.keys() & ours.keys():
            if shown[key].sid != ours[key].participant_sid:
                found.append(f"{server}: another visit {key}")
            if not wire.agrees(shown[key].permission, decided(ours[key])):
                found.append(f"{server}: another permission {key}")
    return found


def at_rest(
    fakes: Collection[FakeLiveKit], *, over: Iterable[str], patience: float
) -> tuple[list[str], float]:
    """The disagreements that remain, and after how many seconds there was none, twice in a row."""
    began, calm = time.monotonic(), 0
    ended = list(over)
    while True:
        found = disagreements(fakes, over=ended)
        calm = 0 if found else calm + 1
        took = time.monotonic() - began
        if calm == 3 or took > patience:
            return found, took
        time.sleep(1)
