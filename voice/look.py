"""All that a join depends on, in one statement: standing, pin, occupancy, the user's connections.

Read once without a lock, to refuse early and to choose a place, and once more under the channel's
lock, in a statement of its own: a statement that waits for a lock goes on with its old snapshot.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import connection

from fluxer.directory import standing
from fluxer.directory.standing import Standing
from fluxer.livekit import LiveKitServer
from fluxer.secrets import Sealed
from regions.catalog import Place
from regions.models import api_url_of
from regions.places import Caller, Restriction
from voice.grants import Admission, Overrides
from voice.rooms import room_name

_STATEMENT = f"""
SELECT {standing.COLUMNS},
    p.server_id, p.made_at, p.expires_at,
    s.region_id, s.slug, s.endpoint, s.api_url, s.api_key, s.api_secret,
    coalesce(s.is_active AND s.down_since IS NULL, false),
    r.id IS NOT NULL, r.vip_only, r.required_guild_features, r.allowed_guild_ids,
    r.allowed_user_ids,
    o.users, o.inside, o.joined, own.connections
FROM {standing.SOURCE}
LEFT JOIN voice_roompin p ON p.channel_id = c.id
LEFT JOIN regions_server s ON s.id = p.server_id
LEFT JOIN regions_region r ON r.id = %s
LEFT JOIN LATERAL (
    SELECT count(DISTINCT v.user_id) AS users,
        coalesce(bool_or(v.user_id = u.id), false) AS inside,
        coalesce(bool_or(v.joined_at IS NOT NULL), false) AS joined
    FROM voice_voicestate v
    WHERE v.channel_id = c.id AND (v.joined_at IS NOT NULL OR v.seat_until > %s)
) o ON true
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_array(
        v.connection_id, v.channel_id, v.session, v.server_id,
        v.joined_at IS NOT NULL, coalesce(v.seat_until > %s, true), v.token_nonce IS NOT NULL,
        v.admitted, v.admitted_speak, v.admitted_stream,
        v.override_mute, v.override_deaf, v.override_speak, v.override_stream, v.override_video
    ) ORDER BY v.created_at, v.connection_id)::text AS connections
    FROM voice_voicestate v
    WHERE v.user_id = u.id AND (v.channel_id = c.id OR v.session = %s)
) own ON true
WHERE u.id = %s
"""  # noqa: S608 constants


@dataclass(frozen=True, slots=True)
class Own:
    """One of the user's connections: in this channel, or this session's wherever it is."""

    connection_id: str
    channel_id: int
    session: str
    server_id: int | None
    is_joined: bool
    is_live: bool
    has_token: bool
    is_admitted: bool
    admitted_speak: bool
    admitted_stream: bool
    override_mute: bool | None
    override_deaf: bool | None
    override_speak: bool | None
    override_stream: bool | None
    override_video: bool | None

    @property
    def admission(self) -> Admission | None:
        """What a moderator gave this connection."""
        return Admission(self.admitted_speak, self.admitted_stream) if self.is_admitted else None

    @property
    def overrides(self) -> Overrides:
        """What the back end said of this connection."""
        return Overrides(
            mute=self.override_mute,
            deaf=self.override_deaf,
            speak=self.override_speak,
            stream=self.override_stream,
            video=self.override_video,
        )


@dataclass(frozen=True)
class Pin:
    """Where the room is pinned."""

    place: Place
    made_at: datetime
    expires_at: datetime | None
    works: bool

    def is_warm(self, now: datetime, *, within: float) -> bool:
        """LiveKit had the room so recently, in seconds, that it need not be asked."""
        warm = timedelta(seconds=within)
        # Ahead of now is what was seen by a clock that was set back since.
        return self.works and now - warm < self.made_at < now + warm


@dataclass(frozen=True)
class Look:
    """A user, a channel and its room at one moment."""

    standing: Standing
    pin: Pin | None
    wish: Restriction | None  # of the region asked for; None: no such region
    users: int  # distinct, with a live connection or a reserved seat
    is_inside: bool
    has_joined: bool  # anybody is confirmed in the room
    own: tuple[Own, ...]

    @cached_property
    def room(self) -> str:
        """LiveKit's name of the room."""
        at = self.standing
        return room_name(channel_id=at.channel_id, guild_id=at.guild_id, kind=at.type)

    @property
    def caller(self) -> Caller:
        """The user as restrictions see them."""
        at = self.standing
        return Caller(at.user_id, at.guild_id, at.features or ())

    @property
    def here(self) -> list[Own]:
        """The user's live connections in this channel, oldest first."""
        at = self.standing.channel_id
        return [own for own in self.own if own.channel_id == at and own.is_live]

    @property
    def is_full(self) -> bool:
        """One more user would be over the limit."""
        limit = self.standing.user_limit
        return bool(limit) and self.users >= limit and not self.is_inside

    def connection(self, connection_id: str) -> Own | None:
        """The user's live connection of that id in this channel."""
        return next((own for own in self.here if own.connection_id == connection_id), None)

    def of_session(self, session: str | None) -> Own | None:
        """The one connection of this session, wherever it is."""
        if session is None:
            return None
        return next((own for own in self.own if own.session == session), None)


def read(
    *,
    user_id: int,
    channel_id: int,
    session: str | None,
    region_id: str | None,
    now: datetime,
) -> Look | None:
    """The look, or None where the user or the channel does not exist. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _STATEMENT, [[channel_id], region_id or "", now, now, session or "", user_id]
        )
        row = cursor.fetchone()
    return None if row is None else _look(row)


def _look(row: tuple[Any, ...]) -> Look:
    pin = row[standing.WIDTH : standing.WIDTH + 10]
    wish = row[standing.WIDTH + 10 : standing.WIDTH + 15]
    users, inside, joined, own = row[standing.WIDTH + 15 :]
    return Look(
        standing=standing.from_row(row),
        pin=None if pin[0] is None else _pin(pin),
        wish=_restriction(wish[1:]) if wish[0] else None,
        users=users,
        is_inside=inside,
        has_joined=joined,
        own=tuple(Own(*values) for values in json.loads(own or "[]")),
    )


def _pin(values: tuple[Any, ...]) -> Pin:
    server_id, made_at, expires_at, region_id, slug, endpoint, api_url, key, secret, works = values
    livekit = LiveKitServer(
        api_url=api_url_of(endpoint=endpoint, api_url=api_url),
        api_key=key,
        secret=Sealed(secret),
    )
    place = Place(server_id, region_id, slug, endpoint, livekit)
    return Pin(place=place, made_at=made_at, expires_at=expires_at, works=works)


def _restriction(values: tuple[Any, ...]) -> Restriction:
    vip_only, features, guild_ids, user_ids = values
    return Restriction(
        vip_only=vip_only,
        required_guild_features=tuple(features),
        allowed_guild_ids=tuple(guild_ids),
        allowed_user_ids=tuple(user_ids),
    )
