"""What one user is in one channel: one statement, one frozen value, no model instances.

Seven reads with model instances cost several times the CPU of this statement, on the busiest
route there is; and a value that was read cannot change under the functions that judge it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import connection

from fluxer.directory import permissions
from fluxer.directory.models import CALL_TYPES, VOICE_TYPES, ChannelType
from fluxer.directory.permissions import Permission

COLUMNS = """
    u.id, u.username, u.display_name, u.is_claimed,
    c.id, c.type, c.guild_id, c.recipient_ids, c.user_limit, c.voice_connection_limit,
    c.rtc_region, c.overwrites::text,
    g.owner_id, g.features,
    m.id IS NOT NULL, m.role_ids, m.nick, m.mute, m.deaf, m.timed_out_until,
    (SELECT coalesce(bit_or(r.permissions), 0) FROM directory_role r
      WHERE r.guild_id = c.guild_id AND (r.id = c.guild_id OR r.id = ANY(m.role_ids)))
"""
WIDTH = 21
SOURCE = """
    directory_user u
    JOIN directory_channel c ON c.id = ANY(%s::bigint[])
    LEFT JOIN directory_guild g ON g.id = c.guild_id
    LEFT JOIN directory_member m ON m.guild_id = c.guild_id AND m.user_id = u.id
"""


@dataclass(frozen=True)
class Standing:
    """A user's whole standing in a channel at one moment."""

    user_id: int
    username: str
    display_name: str
    is_claimed: bool
    channel_id: int
    type: int
    guild_id: int | None
    recipient_ids: Sequence[int]
    user_limit: int
    voice_connection_limit: int
    rtc_region: str | None
    overwrites: str
    owner_id: int | None
    features: Sequence[str] | None
    is_member: bool
    role_ids: Sequence[int] | None
    nick: str | None
    mute: bool | None
    deaf: bool | None
    timed_out_until: datetime | None
    role_mask: int

    @property
    def is_call(self) -> bool:
        """The channel is a DM or group DM."""
        return self.type in CALL_TYPES

    @property
    def is_dm(self) -> bool:
        """The channel is a one-on-one call."""
        return self.type == ChannelType.DM

    @property
    def has_voice(self) -> bool:
        """The channel is of a kind that can be joined."""
        return self.type in VOICE_TYPES

    @property
    def is_recipient(self) -> bool:
        """The channel is a call, and the user one of its people."""
        return self.is_call and self.user_id in self.recipient_ids

    @property
    def is_owner(self) -> bool:
        """The user owns the channel's guild."""
        return self.owner_id is not None and self.owner_id == self.user_id

    @property
    def name(self) -> str:
        """What the others see: nick, else display name, else username."""
        return self.nick or self.display_name or self.username

    def is_timed_out(self, now: datetime) -> bool:
        """A moderator's timeout runs."""
        return self.timed_out_until is not None and self.timed_out_until > now

    @cached_property
    def permissions(self) -> int:
        """The user's permissions in the channel. In calls: what calls need, for recipients."""
        if self.guild_id is None:
            return permissions.EVERYONE_DEFAULT if self.is_recipient else permissions.NONE
        if not self.is_member:
            return permissions.NONE
        return permissions.channel_permissions(
            base=permissions.base_permissions(
                is_owner=self.is_owner, is_member=True, role_masks=[self.role_mask]
            ),
            guild_id=self.guild_id,
            user_id=self.user_id,
            role_ids=self.role_ids or (),
            overwrites=_overwrites(self.overwrites),
        )

    def may(self, permission: Permission) -> bool:
        """All the bits of `permission` are held here."""
        return self.permissions & permission == permission


def _overwrites(text: str) -> list[dict[str, Any]]:
    return json.loads(text) if text != "[]" else []


def from_row(row: Sequence[Any]) -> Standing:
    """The standing in the first WIDTH columns of a row."""
    return Standing(*row[:WIDTH])


def read(*, user_id: int, channel_id: int) -> Standing | None:
    """The standing, or None where the user or the channel does not exist. One statement."""
    return next(iter(read_all(user_ids=[user_id], channel_ids=[channel_id])), None)


def read_all(*, user_ids: Iterable[int], channel_ids: Iterable[int]) -> list[Standing]:
    """The standings of each of these users in each of these channels. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {COLUMNS} FROM {SOURCE} WHERE u.id = ANY(%s::bigint[])",  # noqa: S608 constants
            [list(channel_ids), list(user_ids)],
        )
        return [from_row(row) for row in cursor.fetchall()]
