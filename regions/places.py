"""What selection knows of a region and a server: frozen values, without a secret in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

VIP_FEATURE = "VIP_VOICE"

Coordinates = tuple[float, float]  # latitude, longitude in degrees


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and for which guild (None: a call)."""

    user_id: int
    guild_id: int | None = None
    guild_features: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Restriction:
    """Who may use a place. All empty: everybody."""

    vip_only: bool = False
    required_guild_features: Sequence[str] = ()
    allowed_guild_ids: Sequence[int] = ()
    allowed_user_ids: Sequence[int] = ()

    @property
    def is_empty(self) -> bool:
        """Everybody may."""
        return not (self.allowed_user_ids or self.has_guild_gate)

    @property
    def has_guild_gate(self) -> bool:
        """Only some guilds may."""
        return bool(self.vip_only or self.required_guild_features or self.allowed_guild_ids)

    def admits(self, caller: Caller) -> bool:
        """Whether the place is open to the caller."""
        if self.allowed_user_ids and caller.user_id not in self.allowed_user_ids:
            return False
        return self.admits_guild(caller.guild_id, caller.guild_features)

    def admits_guild(self, guild_id: int | None, features: Sequence[str]) -> bool:
        """The same, by the guild gates alone."""
        if not self.has_guild_gate:
            return True
        if guild_id is None:
            return False
        if guild_id in self.allowed_guild_ids:
            return True
        if not (self.vip_only or self.required_guild_features):
            return False
        if self.vip_only and VIP_FEATURE not in features:
            return False
        required = self.required_guild_features
        return not required or any(feature in features for feature in required)


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server at one moment. `load` counts our live connections and seats; None: unknown."""

    id: int
    region_id: str
    slug: str
    endpoint: str = ""
    is_active: bool = True
    is_draining: bool = False
    is_down: bool = False
    is_failing: bool = False
    is_suspect: bool = False
    soft_connection_limit: int | None = None
    load: int | None = None
    restriction: Restriction = Restriction()

    @property
    def works(self) -> bool:
        """Active and not down: a room pinned here stays here."""
        return self.is_active and not self.is_down

    @property
    def is_over_limit(self) -> bool:
        """As full as it should be. An unknown load counts as under."""
        limit, load = self.soft_connection_limit, self.load
        return limit is not None and load is not None and load >= limit

    def takes_new_rooms(self, caller: Caller) -> bool:
        """Works, is open to the caller, and nothing speaks against it just now."""
        return (
            self.is_active
            and not (self.is_down or self.is_draining or self.is_failing or self.is_suspect)
            and self.restriction.admits(caller)
        )


@dataclass(frozen=True, slots=True)
class RegionView:
    """A region at one moment, with all its servers."""

    id: str
    name: str = ""
    emoji: str = ""
    coordinates: Coordinates | None = None
    is_default: bool = False
    restriction: Restriction = Restriction()
    servers: tuple[ServerView, ...] = ()

    def is_open(self, caller: Caller) -> bool:
        """No restriction refuses the caller."""
        return self.restriction.admits(caller)

    def is_accessible(self, caller: Caller) -> bool:
        """Open, with at least one server that takes new rooms."""
        return self.is_open(caller) and any(s.takes_new_rooms(caller) for s in self.servers)
