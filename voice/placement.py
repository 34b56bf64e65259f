"""On which server the room is: the pinned one, or the first of the right ones that makes it.

No transaction is open here, and no lock held: LiveKit may take its time.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from fluxer import livekit
from fluxer.errors import ServiceUnavailable
from fluxer.livekit import LiveKitNotAsked, LiveKitUnavailable
from fluxer.secrets import SecretUnreadable
from regions import catalog, health, selection
from regions.catalog import Place
from regions.errors import UnknownVoiceServer
from regions.places import Coordinates, ServerView
from voice import wire
from voice.access import Wish
from voice.errors import FeatureTemporarilyDisabled
from voice.look import Look
from voice.models import VoiceState

log = logging.getLogger(__name__)

ONE_TRY = 2.0  # seconds for one server
BUSY = "The channel's voice server is busy; try again"
ALL_TRIES = 6.0  # seconds for everything that one request tries
AFTER_A_LOSS = 1.0  # seconds for which a room is warm to somebody who asks again


class Patience:
    """What is left of the time that a request may spend on placing."""

    def __init__(self) -> None:
        self._until = time.monotonic() + ALL_TRIES

    @property
    def next_try(self) -> float:
        """Seconds for the next server; 0 or less when there is no time for one."""
        return min(ONE_TRY, self._until - time.monotonic())


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the room is; `made_at` is when LiveKit said so, None if it was not asked."""

    place: Place
    made_at: datetime | None


def place(
    found: Look, wish: Wish, *, near: Coordinates | None, patience: Patience, now: datetime
) -> Placed:
    """The room's place. A pinned room stays where it is, whatever anybody wishes.

    ServiceUnavailable when its server works but will not make the room just now and nobody is
    known to be in it, or when no token could be signed for it; FeatureTemporarilyDisabled when an
    unpinned room finds no server.
    """
    if found.pin is not None and found.pin.works:
        return _pinned(found, wish, patience, now)
    return _anew(found, wish, near, patience)


def _pinned(found: Look, wish: Wish, patience: Patience, now: datetime) -> Placed:
    assert found.pin is not None  # noqa: S101 for the reader of types
    place = found.pin.place
    _require_secret(place)
    if found.pin.is_warm(now, within=_warm(found, wish)):
        return Placed(place, None)
    made_at = _make(found.room, place, patience)
    if made_at is None and not found.has_joined:
        raise ServiceUnavailable(BUSY, retry_after=2)
    return Placed(place, made_at)


def _warm(found: Look, wish: Wish) -> float:
    """For how long the room is believed to be there. LiveKit refreshes the token of who is in: a
    device that had one and asks for another did not get in, or has lost the link, and perhaps the
    server its rooms. Devices without a `sid` cannot be told apart."""
    asks_again = any(
        own.connection_id == wish.connection_id or wish.session in (None, own.session)
        for own in found.here
        if own.has_token
    )
    warm = float(settings.VOICE_ROOM_WARM)
    return min(warm, AFTER_A_LOSS) if asks_again else warm


def _require_secret(place: Place) -> None:
    """ServiceUnavailable when no token could be signed: better before there is a seat."""
    try:
        place.livekit.api_secret  # noqa: B018 opened
    except SecretUnreadable as error:
        log.error("no token for %s/%s: %s", place.region_id, place.slug, error)
        raise ServiceUnavailable(BUSY, retry_after=2) from None


def require_somewhere(found: Look, wish: Wish) -> None:
    """FeatureTemporarilyDisabled when the room is nowhere and no server would take it. By our own
    tables: nobody is asked."""
    if (found.pin is None or not found.pin.works) and not _servers(found, wish, None):
        raise FeatureTemporarilyDisabled


def _servers(found: Look, wish: Wish, near: Coordinates | None) -> list[ServerView]:
    standing = found.standing
    return selection.placement_order(
        catalog.load(loads()),
        user_id=standing.user_id,
        guild_id=standing.guild_id,
        guild_features=standing.features or (),
        channel_id=standing.channel_id,
        preferred_region_id=standing.rtc_region or wish.region_id,
        near=near,
        default_region_id=settings.VOICE_DEFAULT_REGION or None,
    )


def _anew(found: Look, wish: Wish, near: Coordinates | None, patience: Patience) -> Placed:
    for chosen in _servers(found, wish, near):
        if patience.next_try <= 0:
            break
        try:
            place = catalog.place(chosen.id)
        except UnknownVoiceServer:  # deleted since the list was read
            continue
        made_at = _make(found.room, place, patience)
        if made_at is not None:
            return Placed(place, made_at)
    raise FeatureTemporarilyDisabled


def _make(room: str, place: Place, patience: Patience) -> datetime | None:
    """When the room was made, or found to be there; None when the server did not do it."""
    seconds = patience.next_try
    if seconds <= 0:
        return None
    asked_at = timezone.now()
    try:
        livekit.create_room(
            place.livekit,
            name=room,
            empty_timeout=wire.lifetime(),
            departure_timeout=wire.lifetime(),
            timeout=seconds,
        )
    except LiveKitUnavailable as error:
        log.warning("no room on %s/%s: %s", place.region_id, place.slug, error)
        if not isinstance(error, LiveKitNotAsked):
            health.suspect(place.server_id, now=timezone.now())
        return None
    return asked_at


def loads() -> dict[int, int]:
    """Our live connections and reserved seats, by server."""
    counted = VoiceState.objects.exclude(server=None).order_by().values("server_id")
    return dict(counted.annotate(n=Count("pk")).values_list("server_id", "n"))
