"""Fifty clients at once on a real server, and all of them out again together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from fluxer import livekit
from tests.livekit.signals import SignalRefused, Signals
from tests.livekit.tokens import make_token

pytestmark = pytest.mark.slow

ROOM = "guild_1_channel_50"
NOWHERE = "http://127.0.0.1:9/"


def test_fifty_come_and_are_removed_together(
    livekit_servers: Callable[..., Any], signals: Signals
) -> None:
    server = livekit_servers(NOWHERE)
    door = livekit.LiveKitServer(server.api_url, server.key, server.secret)
    livekit.create_room(door, name=ROOM, empty_timeout=60, departure_timeout=60)
    identities = [f"user_{number}_conn_a" for number in range(50)]

    def token(identity: str, room: str = ROOM) -> str:
        return make_token(key=server.key, secret=server.secret, room=room, identity=identity)

    clients = signals.join(server.url, map(token, identities))
    listed = livekit.list_participants(door, room=ROOM)
    assert {info.identity for info in listed} == set(identities)

    began = time.monotonic()
    removals = [
        livekit.remove_participant.later(door, room=ROOM, identity=identity)
        for identity in identities
    ]
    assert livekit.together(removals) == [None] * 50
    assert all(client.ended.wait(2) for client in clients)
    assert time.monotonic() - began < 2
    assert {client.reason for client in clients} == {"PARTICIPANT_REMOVED"}
    assert livekit.list_participants(door, room=ROOM) == []

    with pytest.raises(SignalRefused, match="404"):
        signals.join(server.url, [token("user_1_conn_a", "dm_404")])
    server.stop()
