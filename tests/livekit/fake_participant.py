"""Somebody who is in a room of the fake, as a test holds them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import jwt
from livekit.protocol.models import (
    DisconnectReason,
    ParticipantInfo,
    TrackInfo,
    TrackSource,
)

from tests.livekit.fake_rooms import new_sid
from tests.livekit.tokens import REFRESHED_LIFE, grant_of

if TYPE_CHECKING:
    from tests.livekit.fake import FakeLiveKit


class JoinRefused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class PublishRefused(Exception):
    pass


class FakeParticipant:
    """One visit: one sid. What is done after it has ended does nothing, as on the wire."""

    def __init__(self, server: FakeLiveKit, room: str, info: ParticipantInfo) -> None:
        self.server = server
        self.room = room
        self.info = info

    def __repr__(self) -> str:
        state = ParticipantInfo.State.Name(self.info.state)
        return f"<{self.identity} ({self.sid}) in {self.room}: {state}>"

    @property
    def sid(self) -> str:
        return self.info.sid

    @property
    def identity(self) -> str:
        return self.info.identity

    @property
    def inside(self) -> bool:
        return self.info.state != ParticipantInfo.State.DISCONNECTED and any(
            info.sid == self.sid for info in self.server.participants(self.room)
        )

    @property
    def reason(self) -> str:
        """Why they are out: LiveKit's DisconnectReason by name."""
        return DisconnectReason.Name(self.info.disconnect_reason)

    @property
    def published(self) -> set[str]:
        return {TrackSource.Name(track.source) for track in self.info.tracks}

    def activate(self) -> None:
        self.server.rooms.activate(self.room, self.sid)
        self.server.webhooks.acted()

    def publish(self, source: str = "MICROPHONE", kind: str = "AUDIO") -> TrackInfo:
        """Raises PublishRefused without the permission. Source and kind need not go together."""
        track = TrackInfo(sid=new_sid("TR"), source=source, type=kind)
        published = self.server.rooms.publish(self.room, self.sid, track)
        self.server.webhooks.acted()
        if published is None:
            raise PublishRefused(f"{self.identity} may not publish {source}")
        return track

    def unpublish(self, track: TrackInfo) -> None:
        self.server.rooms.unpublish(self.room, self.sid, track.sid)
        self.server.webhooks.acted()

    def leave(self, reason: str = "CLIENT_INITIATED") -> None:
        self._depart(reason)

    def abort(self) -> None:
        """Never became active: LiveKit tells of an aborted connection, not of a leave."""
        self.info.state = ParticipantInfo.State.JOINED
        self._depart("JOIN_FAILURE")

    def vanish(self) -> None:
        """Out of LiveKit's lists, and no webhook tells of it."""
        self._depart("CONNECTION_TIMEOUT", silently=True)

    def refreshed_token(self) -> str:
        """What LiveKit hands a connected client: ten minutes, with the rights of now."""
        now = int(time.time())
        claims = {
            "iss": self.server.key,
            "sub": self.identity,
            "name": self.info.name,
            "metadata": self.info.metadata,
            "nbf": now,
            "exp": now + REFRESHED_LIFE,
            "video": grant_of(self.info.permission, room=self.room),
        }
        return jwt.encode(claims, self.server.secret, algorithm="HS256")

    def _depart(self, reason: str, *, silently: bool = False) -> None:
        with self.server.rooms.lock:
            if self.inside:
                value = DisconnectReason.Value(reason)
                self.server.rooms.depart(self.room, self.identity, reason=value, silently=silently)
        self.server.webhooks.acted()
