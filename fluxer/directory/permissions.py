"""Permission arithmetic: bits in, bits out. Discord's numbers; no model, no clock."""

from collections.abc import Iterable, Mapping
from enum import IntFlag
from typing import Any


class Permission(IntFlag):
    """The bits that voice reads. Others are kept in the masks and mean nothing here."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    STREAM = 1 << 9
    VIEW_CHANNEL = 1 << 10
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    MUTE_MEMBERS = 1 << 22
    DEAFEN_MEMBERS = 1 << 23
    MOVE_MEMBERS = 1 << 24
    UPDATE_RTC_REGION = 1 << 53


ALL = (1 << 63) - 1
NONE = 0
EVERYONE_DEFAULT = int(
    Permission.VIEW_CHANNEL | Permission.CONNECT | Permission.SPEAK | Permission.STREAM
)
ROLE, MEMBER = 0, 1  # the type of an overwrite


def base_permissions(*, is_owner: bool, is_member: bool, role_masks: Iterable[int]) -> int:
    """What a user may do in a guild before any channel has its say.

    `role_masks` are those of @everyone and of the member's roles. The owner may do everything,
    a stranger nothing, ADMINISTRATOR everything.
    """
    if not is_member:
        return NONE
    if is_owner:
        return ALL
    mask = NONE
    for role_mask in role_masks:
        mask |= role_mask
    return ALL if mask & Permission.ADMINISTRATOR else mask


def channel_permissions(
    *,
    base: int,
    guild_id: int,
    user_id: int,
    role_ids: Iterable[int],
    overwrites: Iterable[Mapping[str, Any]],
) -> int:
    """`base` after a channel's overwrites: @everyone, the roles united, the member; in each step
    deny, then allow.

    An overwrite is `{id, type, allow, deny}` with decimal strings, as the channel keeps it. Only
    for members: a stranger's NONE is no mask to build on. ALL is the owner's or an
    administrator's, and skips them.
    """
    if base == ALL:
        return base
    roles = set(role_ids)
    everyone = united = member = (NONE, NONE)
    for overwrite in overwrites:
        subject, masks = int(overwrite["id"]), (int(overwrite["deny"]), int(overwrite["allow"]))
        if overwrite["type"] == MEMBER:
            if subject == user_id:
                member = masks
        elif subject == guild_id:
            everyone = masks
        elif subject in roles:
            united = (united[0] | masks[0], united[1] | masks[1])
    mask = base
    for deny, allow in (everyone, united, member):
        mask = (mask & ~deny) | allow
    return mask


def names(missing: Permission) -> str:
    """`VIEW_CHANNEL and CONNECT`, for a sentence."""
    return " and ".join(bit.name or "" for bit in Permission if bit & missing)
