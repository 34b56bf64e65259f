"""Which channels a user may know of and see: the first checks of every channel route."""

from fluxer.directory import standing
from fluxer.directory.permissions import Permission, names
from fluxer.directory.standing import Standing
from fluxer.errors import MissingPermissions, UnknownChannel, UnknownMember


def require_known(found: Standing | None) -> Standing:
    """The standing of somebody to whom the channel exists.

    UnknownChannel when it does not, or is a call of other people; UnknownMember when it is a
    channel of a guild that the user is not in.
    """
    if found is None or (found.is_call and not found.is_recipient):
        raise UnknownChannel
    if found.guild_id is not None and not found.is_member:
        raise UnknownMember
    return found


def require(found: Standing, needed: Permission) -> None:
    """MissingPermissions, with the names of what is missing."""
    missing = Permission(needed & ~found.permissions)
    if missing:
        raise MissingPermissions(f"You lack {names(missing)} in this channel")


def require_visible(*, user_id: int, channel_id: int) -> Standing:
    """The standing of somebody who can see the channel; the errors above otherwise."""
    found = require_known(standing.read(user_id=user_id, channel_id=channel_id))
    require(found, Permission.VIEW_CHANNEL)
    return found
