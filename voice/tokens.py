"""The whole story of a join: look, place the room, decide under the lock, mint the token.

A busy room's token costs no LiveKit call and a handful of statements that does not grow; one that
the same device asks for again costs a call where the room was not seen just now.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

import jwt
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from fluxer.directory.changes import lock_channels
from fluxer.errors import ServiceUnavailable
from regions.catalog import Place
from regions.places import Coordinates
from voice import access, due, look, pins
from voice.access import Plan, Wish
from voice.grants import Rights, decide, video_grant
from voice.look import Look, Own
from voice.placement import Patience, Placed, place
from voice.rooms import Identity, new_connection_id
from voice.states import endings, seats

_ATTEMPTS = 3


class Grant(TypedDict):
    """The answer to a token request, as the seed has it."""

    token: str
    endpoint: str
    connection_id: str
    token_nonce: str


class _Moved(Exception):
    """Under the lock it is not as it was looked at: look again."""


@dataclass(frozen=True, slots=True)
class _Seat:
    connection_id: str
    nonce: uuid.UUID
    rights: Rights
    look: Look
    place: Place
    now: datetime


def issue(wish: Wish, *, near: Coordinates | None = None) -> Grant:
    """A token for a seat that is reserved with it ("Request Token").

    Raises what `access.plan` and `placement.place` raise; ServiceUnavailable when the channel
    changed under every attempt.
    """
    patience = Patience()
    for _ in range(_ATTEMPTS):
        now = timezone.now()
        seen = _look(wish, now)
        access.plan(seen, wish, now=now)
        assert seen is not None  # noqa: S101 the plan refused otherwise
        placed = place(seen, wish, near=near, patience=patience, now=now)
        try:
            return _mint(_seat(wish, seen, placed))
        except (_Moved, IntegrityError):
            # The pin, the region wanted or the session moved; or a server or a session's other
            # connection went or came between: constraints are the last word on those.
            continue
    raise ServiceUnavailable


def _look(wish: Wish, now: datetime) -> Look | None:
    return look.read(
        user_id=wish.user_id,
        channel_id=wish.channel_id,
        session=wish.session,
        region_id=wish.region_id,
        now=now,
    )


@transaction.atomic
def _seat(wish: Wish, seen: Look, placed: Placed) -> _Seat:
    """Decide, with the channel locked: the checks again, then pin, seat and all that ends."""
    elsewhere = seen.of_session(wish.session)
    lock_channels({wish.channel_id} | ({elsewhere.channel_id} if elsewhere else set()))
    now = timezone.now()
    found = _look(wish, now)
    plan = access.plan(found, wish, now=now)
    assert found is not None  # noqa: S101 the plan refused otherwise
    if not _is_as_seen(found, seen, wish):
        raise _Moved
    if found.pin is not None and not found.pin.works:
        seats.unseat(channel_id=wish.channel_id, room=found.room, now=now)
    connection_id = plan.renewed.connection_id if plan.renewed else new_connection_id()
    # First the end, then the seat: a session has one connection, kept so by a constraint.
    rooms = endings.replace(plan.ended, by=connection_id, session=wish.session, now=now)
    seat = _take(connection_id, wish, plan, found, placed, now)
    rooms |= _pin(found, placed, now, expiring=bool(plan.ended))
    due.mark(*rooms)
    return seat


def _is_as_seen(found: Look, seen: Look, wish: Wish) -> bool:
    """What the placement and the locks were chosen by is still so."""
    mine, before = found.of_session(wish.session), seen.of_session(wish.session)
    elsewhere = mine.channel_id if mine else None
    return (
        found.standing.rtc_region == seen.standing.rtc_region
        and _pinned(found) == _pinned(seen)
        and elsewhere in (None, wish.channel_id, before.channel_id if before else None)
    )


def _pinned(found: Look) -> tuple[int, bool] | None:
    return None if found.pin is None else (found.pin.place.server_id, found.pin.works)


def _pin(found: Look, placed: Placed, now: datetime, *, expiring: bool) -> endings.Rooms:
    """The pin as the placement wants it; the rooms that are due when it moved."""
    channel_id, old = found.standing.channel_id, found.pin
    if old is not None and old.works:
        pins.keep(
            channel_id=channel_id,
            made_at=placed.made_at,
            expiring=expiring or old.expires_at is not None,
        )
        return set()
    pins.pin(
        channel_id=channel_id,
        server_id=placed.place.server_id,
        made_at=placed.made_at or now,
        now=now,
    )
    return set() if old is None else {(old.place.server_id, found.room)}


def _take(
    connection_id: str, wish: Wish, plan: Plan, found: Look, placed: Placed, now: datetime
) -> _Seat:
    """The seat: a renewed one, or a new one."""
    own, nonce, until = plan.renewed, uuid.uuid4(), seats.token_end(now)
    rights = _rights(found, own)
    if own is None:
        seats.reserve(
            connection_id=connection_id,
            user_id=wish.user_id,
            channel_id=wish.channel_id,
            guild_id=found.standing.guild_id,
            server_id=placed.place.server_id,
            session=wish.session,
            rights=rights,
            nonce=nonce,
            until=until,
            now=now,
        )
    elif not seats.renew(
        connection_id=connection_id,
        is_joined=own.is_joined and not (found.pin and not found.pin.works),
        server_id=placed.place.server_id,
        nonce=nonce,
        until=until,
    ):
        raise _Moved
    return _Seat(connection_id, nonce, rights, found, placed.place, now)


def _rights(found: Look, own: Own | None) -> Rights:
    if own is None:
        return decide(found.standing)
    return decide(found.standing, overrides=own.overrides, admission=own.admission)


def _mint(seat: _Seat) -> Grant:
    """The JWT ("LiveKit Integration"). `metadata` is a string: LiveKit refuses an object."""
    standing, place = seat.look.standing, seat.place
    issued_at = int(seat.now.timestamp())
    guild_id = standing.guild_id
    metadata = {
        "user_id": str(standing.user_id),
        "guild_id": None if guild_id is None else str(guild_id),
        "channel_id": str(standing.channel_id),
        "connection_id": seat.connection_id,
        "region_id": place.region_id,
        "server_id": place.slug,
        "token_nonce": str(seat.nonce),
    }
    claims = {
        "iss": place.livekit.api_key,
        "sub": str(Identity(standing.user_id, seat.connection_id)),
        "name": standing.name,
        "nbf": issued_at,
        "exp": issued_at + int(settings.VOICE_TOKEN_TTL),
        "video": video_grant(seat.rights, room=seat.look.room),
        "metadata": json.dumps(metadata, separators=(",", ":")),
    }
    return {
        "token": jwt.encode(claims, place.livekit.api_secret, algorithm="HS256"),
        "endpoint": place.endpoint,
        "connection_id": seat.connection_id,
        "token_nonce": str(seat.nonce),
    }
