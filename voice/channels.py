"""A channel's voice settings, and the region change: saved, everybody out, the pin gone."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from fluxer.directory import changes
from fluxer.directory.access import require, require_visible
from fluxer.directory.changes import lock_channels
from fluxer.directory.models import Channel
from fluxer.directory.permissions import Permission
from fluxer.errors import UnknownChannel
from regions.errors import UnknownVoiceRegion
from voice import events, region_change
from voice.audit import Actor
from voice.errors import InvalidChannelType

_KEYS = ("name", "bitrate", "user_limit", "voice_connection_limit", "rtc_region")


def show(*, user_id: int, channel_id: int) -> dict[str, Any]:
    """The channel, for who can see it."""
    require_visible(user_id=user_id, channel_id=channel_id)
    return shown(Channel.objects.get(pk=channel_id))


def shown(channel: Channel) -> dict[str, Any]:
    """The channel as the API has it."""
    guild_id = channel.guild_id
    return {
        "id": str(channel.pk),
        "type": channel.type,
        "guild_id": None if guild_id is None else str(guild_id),
        **{key: getattr(channel, key) for key in _KEYS},
    }


def change(
    *, user_id: int, channel_id: int, values: Mapping[str, Any], by: Actor
) -> dict[str, Any]:
    """The channel after the change ("RTC Region Updates"). A lowered limit throws nobody out.

    A call's people choose its region themselves; nobody manages a call. UnknownVoiceRegion for a
    region that is unknown or closed to the guild.
    """
    found = require_visible(user_id=user_id, channel_id=channel_id)
    if "rtc_region" in values and not found.is_call:
        require(found, Permission.UPDATE_RTC_REGION)
    if set(values) - {"rtc_region"}:
        require(found, Permission.MANAGE_CHANNELS)
    if not found.has_voice:
        raise InvalidChannelType
    return _change(channel_id, values, by)


@transaction.atomic
def _change(channel_id: int, values: Mapping[str, Any], by: Actor) -> dict[str, Any]:
    channel = next(iter(lock_channels([channel_id])), None)
    if channel is None:
        raise UnknownChannel
    changed = {name: value for name, value in values.items() if getattr(channel, name) != value}
    if not changed:
        return shown(channel)
    if "rtc_region" in changed:
        _require_region(channel, changed["rtc_region"])
        region_change.begin(channel, by=by)
    for name, value in changed.items():
        setattr(channel, name, value)
    channel.save(update_fields=list(changed))
    events.channel_changed(guild_id=channel.guild_id, channel_id=channel.pk, data=shown(channel))
    return shown(channel)


def _require_region(channel: Channel, region_id: str | None) -> None:
    if region_id is not None and not changes.region_is_open(
        region_id=region_id, guild_id=channel.guild_id
    ):
        raise UnknownVoiceRegion


def require_mover(*, user_id: int, channel_id: int) -> None:
    """MissingPermissions for who may not put people out of the voice channel."""
    found = require_visible(user_id=user_id, channel_id=channel_id)
    require(found, Permission.MOVE_MEMBERS)
    if not found.has_voice:
        raise InvalidChannelType
