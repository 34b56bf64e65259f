"""A LiveKit server in the test's process that speaks the wire: Twirp, tokens, webhooks, and faults.

    fake.join(token)                    a participant, as LiveKit would admit it, or JoinRefused
    fake.calls, fake.calls_during()     what the API was asked
    fake.webhooks                       where events go, and how badly
    fake.fault("hang", method=…)        what goes wrong

`test_fake_is_honest.py` holds it against a real server.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from livekit.protocol.models import ParticipantInfo, Room, TrackInfo
from livekit.protocol.webhook import WebhookEvent

from tests.livekit.fake_faults import Fault, Faults, Kind
from tests.livekit.fake_http import HttpThread
from tests.livekit.fake_participant import FakeParticipant, JoinRefused
from tests.livekit.fake_rooms import Rooms, new_sid
from tests.livekit.fake_webhooks import Webhook, Webhooks
from tests.livekit.fake_wire import ApiCall, Wire, lists
from tests.livekit.tokens import BadToken, make_token, permission_of, read_token


class FakeLiveKit:
    """One server with its own key, secret, port and rooms. Usable from any thread."""

    def __init__(self, *, key: str | None = None, secret: str | None = None) -> None:
        self.key = key or f"key-{secrets.token_hex(4)}"
        self.secret = secret or secrets.token_hex(24)
        self.calls: list[ApiCall] = []
        self.claims: list[dict[str, Any]] = []
        self.probes = 0
        self.faults = Faults()
        self.webhooks = Webhooks(key=self.key, secret=self.secret)
        self.rooms = Rooms(self._emit)
        self._http = HttpThread(Wire(self).handle, name=self.key)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._http.port}"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._http.port}"

    @property
    def sent(self) -> list[Webhook]:
        """Every webhook that was sent, or, without a target, made."""
        return self.webhooks.sent

    # the clients

    def token(self, room: str, identity: str, **grant: Any) -> str:
        """A token that somebody made by hand; `ttl`, `metadata` and grants as in `make_token`."""
        return make_token(key=self.key, secret=self.secret, room=room, identity=identity, **grant)

    def join(self, token: str, *, active: bool = True) -> FakeParticipant:
        """Connect with this token. Not `active`: stays JOINING until `.activate()`.

        Raises JoinRefused with LiveKit's status: 401 for the token, 404 for the room."""
        try:
            claims = read_token(token, key=self.key, secret=self.secret)
        except BadToken as error:
            raise JoinRefused(401, str(error)) from error
        video = claims.get("video") or {}
        if not video.get("roomJoin"):
            raise JoinRefused(401, "permissions denied")
        if not claims.get("sub"):
            raise JoinRefused(400, "identity cannot be empty")
        room = str(video.get("room", ""))
        info = ParticipantInfo(
            identity=claims["sub"],
            name=claims.get("name", ""),
            metadata=claims.get("metadata", ""),
        )
        if self.rooms.enter(room, info, permission=permission_of(video)) is None:
            raise JoinRefused(404, "requested room does not exist")
        participant = FakeParticipant(self, room, info)
        if active:
            participant.activate()
        return participant

    def participants(self, room: str) -> list[ParticipantInfo]:
        return self.rooms.people(room)

    def identities(self, room: str) -> set[str]:
        return {info.identity for info in self.rooms.people(room)}

    # what it was asked

    @contextmanager
    def calls_during(self) -> Iterator[list[ApiCall]]:
        """The calls made meanwhile; complete when the block ends."""
        before, during = len(self.calls), list[ApiCall]()
        try:
            yield during
        finally:
            during.extend(self.calls[before:])

    # what goes wrong

    def fault(
        self,
        kind: Kind,
        *,
        method: str | None = None,
        room: str | None = None,
        identity: str | None = None,
        times: int | None = None,
        seconds: float = 0.0,
        code: str = "internal",
        location: str = "",
    ) -> Fault:
        """From now on, until `.stop()`, the end of a `with`, or `times` hits. `method`: one of
        RoomService's, API for all of those, HEALTH for `GET /`, None for everything."""
        fault = Fault(kind, method, room, identity, times, seconds, code, location)
        if kind == "stale":
            fault.snapshot = lists(self.rooms)
        return self.faults.add(fault)

    def refuse(self) -> None:
        """Connections are refused; the rooms live on."""
        self._http.refuse()

    def accept(self) -> None:
        self._http.accept()

    def die(self) -> None:
        """kill -9: refused, and every room lost without a word."""
        self._http.refuse()
        self.rooms.lose_all()

    def restart(self) -> None:
        """Back on the same port with no rooms."""
        self.die()
        self._http.accept()

    def close(self) -> None:
        self.faults.clear()
        self.webhooks.close()
        self._http.close()

    # webhooks by hand

    def webhook(
        self,
        event: str,
        *,
        room: str | Room | None = None,
        participant: ParticipantInfo | FakeParticipant | None = None,
        track: TrackInfo | None = None,
        **signing: Any,
    ) -> Webhook:
        """One event made by hand, not sent; `key`, `secret` and `life` (seconds, negative for an
        expired one) change how it is signed."""
        if isinstance(room, str):
            known = self.rooms.listing([room])
            room = known[0] if known else Room(name=room, sid=new_sid("RM"))
        if isinstance(participant, FakeParticipant):
            participant = participant.info
        return self.webhooks.make(_event(event, room, participant, track), **signing)

    def _emit(
        self,
        event: str,
        *,
        room: Room,
        participant: ParticipantInfo | None = None,
        track: TrackInfo | None = None,
    ) -> None:
        self.webhooks.emit(_event(event, room, participant, track))


def _event(
    event: str,
    room: Room | None,
    participant: ParticipantInfo | None,
    track: TrackInfo | None,
) -> WebhookEvent:
    return WebhookEvent(
        event=event,
        id=new_sid("EV"),
        created_at=int(time.time()),
        room=room,
        participant=participant,
        track=track,
    )
