"""The rooms of a fake LiveKit: who is in them, what they may do, what LiveKit would tell."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from livekit.protocol.models import (
    DisconnectReason,
    ParticipantInfo,
    ParticipantPermission,
    Room,
    TrackInfo,
)

from tests.livekit.tokens import may_publish

Emit = Callable[..., None]


def new_sid(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(6)}"


@dataclass
class LiveRoom:
    info: Room
    participants: dict[str, ParticipantInfo] = field(default_factory=dict)

    def seen(self) -> Room:
        """The room as it is told of; hidden participants do not count."""
        room = Room()
        room.CopyFrom(self.info)
        active = [p for p in self.participants.values() if not p.permission.hidden]
        room.num_participants = len(active)
        room.num_publishers = sum(p.is_publisher for p in active)
        return room

    def named(self) -> Room:
        """The room as track events tell of it."""
        return Room(sid=self.info.sid, name=self.info.name)


class Rooms:
    """All rooms of one server. `emit(event, room=…, participant=…, track=…)` gets every webhook."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.lock = threading.RLock()
        self.by_name: dict[str, LiveRoom] = {}
        self.behind_ms = 0  # by how much its clock is set back
        self._last_ms = 0

    def create(self, name: str, *, empty: int, departure: int, metadata: str) -> Room:
        with self.lock:
            if name not in self.by_name:
                now = self._now_ms()
                info = Room(
                    sid=new_sid("RM"),
                    name=name,
                    empty_timeout=empty or 300,
                    departure_timeout=departure or 20,
                    creation_time=now // 1000,
                    creation_time_ms=now,
                    metadata=metadata,
                )
                self.by_name[name] = LiveRoom(info)
                self.emit("room_started", room=info)
            return self.by_name[name].seen()

    def close(self, name: str, *, reason: int = DisconnectReason.ROOM_CLOSED) -> bool:
        """Everybody out, the room gone. False: there was none."""
        with self.lock:
            room = self.by_name.get(name)
            if room is None:
                return False
            for identity in list(room.participants):
                self.depart(name, identity, reason=reason)
            del self.by_name[name]
            self.emit("room_finished", room=room.seen())
            return True

    def enter(
        self, name: str, info: ParticipantInfo, *, permission: ParticipantPermission
    ) -> ParticipantInfo | None:
        """In, still JOINING. Whoever had the identity is out. None: there is no such room."""
        with self.lock:
            room = self.by_name.get(name)
            if room is None:
                return None
            self.depart(name, info.identity, reason=DisconnectReason.DUPLICATE_IDENTITY)
            now = self._now_ms()
            info.sid = new_sid("PA")
            info.state = ParticipantInfo.State.JOINING
            info.joined_at, info.joined_at_ms = now // 1000, now
            info.permission.CopyFrom(permission)
            room.participants[info.identity] = info
            return info

    def activate(self, name: str, sid: str) -> None:
        with self.lock:
            room, info = self._holder(name, sid)
            if room is not None and info is not None:
                info.state = ParticipantInfo.State.ACTIVE
                info.version += 1
                self.emit("participant_joined", room=room.seen(), participant=info)

    def depart(self, name: str, identity: str, *, reason: int, silently: bool = False) -> bool:
        """Out, with LiveKit's webhooks for it. False: they were not in."""
        with self.lock:
            room = self.by_name.get(name)
            info = room.participants.pop(identity, None) if room is not None else None
            if room is None or info is None:
                return False
            joined = info.state == ParticipantInfo.State.ACTIVE
            tracks = list(info.tracks)
            del info.tracks[:]
            info.state = ParticipantInfo.State.DISCONNECTED
            info.disconnect_reason = reason  # type: ignore[assignment]
            info.version += 1
            if not silently:
                for track in tracks:
                    self._tell_track("track_unpublished", room, info, track)
                event = "participant_left" if joined else "participant_connection_aborted"
                self.emit(event, room=room.seen(), participant=info)
            return True

    def publish(self, name: str, sid: str, track: TrackInfo) -> TrackInfo | None:
        """None: they may not, or are not in."""
        with self.lock:
            room, info = self._holder(name, sid)
            if room is None or info is None or not may_publish(info.permission, track.source):
                return None
            info.tracks.append(track)
            info.is_publisher = True
            info.version += 1
            self._tell_track("track_published", room, info, track)
            return track

    def unpublish(self, name: str, sid: str, track_sid: str) -> None:
        with self.lock:
            room, info = self._holder(name, sid)
            if room is not None and info is not None:
                self._drop_tracks(room, info, lambda track: track.sid == track_sid)

    def permit(
        self, name: str, identity: str, permission: ParticipantPermission
    ) -> ParticipantInfo | None:
        """The whole permission replaced; tracks that it no longer covers are unpublished."""
        with self.lock:
            info = self.participant(name, identity)
            if info is None:
                return None
            info.permission.CopyFrom(permission)
            info.version += 1
            room = self.by_name[name]
            self._drop_tracks(room, info, lambda track: not may_publish(permission, track.source))
            return info

    def participant(self, name: str, identity: str) -> ParticipantInfo | None:
        with self.lock:
            room = self.by_name.get(name)
            return room.participants.get(identity) if room is not None else None

    def listing(self, names: list[str]) -> list[Room]:
        with self.lock:
            return [r.seen() for name, r in self.by_name.items() if not names or name in names]

    def people(self, name: str) -> list[ParticipantInfo]:
        with self.lock:
            room = self.by_name.get(name)
            return [_copy(p) for p in room.participants.values()] if room is not None else []

    def lose_all(self) -> None:
        """As after kill -9: nothing is left and nothing was said."""
        with self.lock:
            self.by_name.clear()

    def _holder(self, name: str, sid: str) -> tuple[LiveRoom | None, ParticipantInfo | None]:
        room = self.by_name.get(name)
        if room is not None:
            for info in room.participants.values():
                if info.sid == sid:
                    return room, info
        return None, None

    def _drop_tracks(
        self, room: LiveRoom, info: ParticipantInfo, doomed: Callable[[TrackInfo], bool]
    ) -> None:
        for track in [track for track in info.tracks if doomed(track)]:
            info.tracks.remove(track)
            info.version += 1
            self._tell_track("track_unpublished", room, info, track)

    def _tell_track(
        self, event: str, room: LiveRoom, info: ParticipantInfo, track: TrackInfo
    ) -> None:
        who = ParticipantInfo(sid=info.sid, identity=info.identity)
        self.emit(event, room=room.named(), participant=who, track=track)

    def _now_ms(self) -> int:
        """Milliseconds that never repeat, so that two visits are never of the same time; but for
        those of a clock that is set back."""
        self._last_ms = max(self._last_ms + 1, int(time.time() * 1000))
        return self._last_ms - self.behind_ms


def _copy(info: ParticipantInfo) -> ParticipantInfo:
    copy = ParticipantInfo()
    copy.CopyFrom(info)
    return copy
