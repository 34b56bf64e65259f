"""Names of rooms and participants, both ways. The parsers are exact inverses of the builders."""

import re
import secrets
import string
from dataclasses import dataclass

from fluxer import snowflakes
from fluxer.directory.models import ChannelType

_ALPHABET = string.digits + string.ascii_letters
_LENGTH = 22  # 62^22 > 2^130
_CONNECTION = re.compile(r"conn_[0-9A-Za-z]{1,27}", re.ASCII)
_ROOM = re.compile(r"(?:guild_([0-9]+)_channel|(dm)|(group))_([0-9]+)", re.ASCII)
_IDENTITY = re.compile(r"user_([0-9]+)_(conn_[0-9A-Za-z]{1,27})", re.ASCII)


@dataclass(frozen=True, slots=True)
class RoomName:
    """Which channel a room belongs to. `guild_id` is None in calls."""

    channel_id: int
    guild_id: int | None
    kind: int

    def __str__(self) -> str:
        return room_name(channel_id=self.channel_id, guild_id=self.guild_id, kind=self.kind)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose connection a participant is."""

    user_id: int
    connection_id: str

    def __str__(self) -> str:
        return f"user_{self.user_id}_{self.connection_id}"


def room_name(*, channel_id: int, guild_id: int | None, kind: int) -> str:
    """LiveKit's name of a channel's room: guild_…_channel_…, dm_… or group_… ("Room Naming")."""
    if guild_id is not None:
        return f"guild_{guild_id}_channel_{channel_id}"
    return f"{'dm' if kind == ChannelType.DM else 'group'}_{channel_id}"


def parse_room_name(text: str) -> RoomName | None:
    """The channel behind a room's name; None for a name that `room_name` cannot have made."""
    match = _ROOM.fullmatch(text)
    if match is None:
        return None
    channel_id = snowflakes.parse(match[4])
    if channel_id is None:
        return None
    if match[1] is None:
        return RoomName(channel_id, None, ChannelType.DM if match[2] else ChannelType.GROUP_DM)
    guild_id = snowflakes.parse(match[1])
    return None if guild_id is None else RoomName(channel_id, guild_id, ChannelType.GUILD_VOICE)


def parse_identity(text: str) -> Identity | None:
    """The connection behind a participant's identity; None for one that is not of our making."""
    match = _IDENTITY.fullmatch(text)
    user_id = snowflakes.parse(match[1]) if match else None
    return None if match is None or user_id is None else Identity(user_id, match[2])


def is_connection_id(text: str) -> bool:
    """The text has the form of a connection id."""
    return _CONNECTION.fullmatch(text) is not None


def new_connection_id() -> str:
    """`conn_` and 130 bits of randomness: what a participant is matched by, never given twice."""
    return "conn_" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
