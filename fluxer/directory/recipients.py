"""Whose a channel is: a guild's, or that of the recipients of a DM or group DM."""

from typing import Any

from fluxer.directory import records
from fluxer.directory.models import Channel, ChannelType, Guild, User
from fluxer.errors import InvalidFormBody

# How many there are: a DM is between two; a group has somebody, and not everybody.
HOW_MANY = {ChannelType.DM: (2, 2), ChannelType.GROUP_DM: (1, 25)}


def require_guild(channel: Channel) -> None:
    """InvalidFormBody unless a new channel of a guild names one that exists, and a call none."""
    if channel.is_call and channel.guild_id is not None:
        raise InvalidFormBody.at("guild_id", "NOT_FOR_CALLS", "A DM belongs to no guild")
    if channel.is_call:
        return
    if channel.guild_id is None:
        raise InvalidFormBody.at("guild_id", "REQUIRED", "This type of channel needs a guild")
    if not records.held(Guild.objects.filter(pk=channel.guild_id)):
        raise InvalidFormBody.at("guild_id", "UNKNOWN_GUILD", "No guild has this id")


def with_known_recipients(channel: Channel, values: dict[str, Any]) -> dict[str, Any]:
    """The values, if the recipients are as many as the type takes, each once, and all there."""
    if "recipient_ids" not in values:
        return values
    recipient_ids = values["recipient_ids"]
    if not channel.is_call:
        if recipient_ids:
            raise _error("NOT_FOR_GUILDS", "A channel of a guild has members, not recipients")
        return values
    least, most = HOW_MANY[ChannelType(channel.type)]
    if not least <= len(recipient_ids) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise _error("INVALID_LENGTH", f"This type of channel has {wanted} recipients")
    if len(set(recipient_ids)) < len(recipient_ids):
        raise _error("DUPLICATE", "A recipient is named twice")
    if records.held(User.objects.filter(pk__in=recipient_ids)) != set(recipient_ids):
        raise _error("UNKNOWN_USER", "No user has one of these ids")
    return values


def _error(code: str, message: str) -> InvalidFormBody:
    return InvalidFormBody.at("recipient_ids", code, message)
