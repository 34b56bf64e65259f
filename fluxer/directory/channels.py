"""The channels of guilds, DMs and group DMs. The only module that writes Channel.

Every verb locks the channel's row, and with it the room, before anything else.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import F, Func, QuerySet, Value

from fluxer.directory import changes, records
from fluxer.directory.models import Channel
from fluxer.directory.overwrites import with_known_overwrites, without_role
from fluxer.directory.recipients import require_guild, with_known_recipients
from fluxer.errors import InvalidFormBody, UnknownChannel

RIGHTS = {"overwrites", "recipient_ids"}
FIXED = ("type", "guild_id")


def rows() -> QuerySet[Channel]:
    """All of them."""
    return Channel.objects.all()


def get(*, channel_id: int) -> Channel:
    """One channel, or UnknownChannel."""
    channel = rows().filter(pk=channel_id).first()
    if channel is None:
        raise UnknownChannel
    return channel


@transaction.atomic
def put(*, channel_id: int, **values: Any) -> tuple[Channel, bool]:
    """The channel with these values, and whether it is new."""
    channel, is_new = records.claimed(
        Channel.objects.filter(pk=channel_id), lambda: _fresh(channel_id, values)
    )
    return (channel if is_new else _changed(channel, values)), is_new


@transaction.atomic
def change(*, channel_id: int, **values: Any) -> Channel:
    """The channel with these values changed, or UnknownChannel.

    Another `rtc_region` is the region change: everybody is out, and the pin goes.
    """
    channel = records.locked(Channel.objects.filter(pk=channel_id))
    if channel is None:
        raise UnknownChannel
    return _changed(channel, values)


@transaction.atomic
def remove(*, channel_id: int) -> None:
    """No such channel any more; everybody in it is out."""
    for channel in changes.lock_channels([channel_id]):
        changes.before_channels_deleted(channel_ids=[channel.pk])
        channel.delete()


def calls_of(*, user_id: int) -> set[int]:
    """The DMs and group DMs of a user."""
    calls = Channel.objects.filter(recipient_ids__contains=[user_id])
    return set(calls.values_list("pk", flat=True))


def with_role(*, guild_id: int, role_id: int) -> set[int]:
    """The channels of a guild that have an overwrite for the role."""
    naming = [{"id": str(role_id), "type": 0}]
    named = Channel.objects.filter(guild_id=guild_id, overwrites__contains=naming)
    return set(named.values_list("pk", flat=True))


def forget_recipient(*, user_id: int) -> None:
    """No call has the user any more. Its channels are locked."""
    calls = Channel.objects.filter(recipient_ids__contains=[user_id])
    calls.update(recipient_ids=Func(F("recipient_ids"), Value(user_id), function="array_remove"))


def forget_role(channels: Iterable[Channel], *, role_id: int) -> None:
    """These channels, which are locked, have no overwrite for the role any more."""
    channels = list(channels)
    for channel in channels:
        channel.overwrites = without_role(channel.overwrites, role_id=role_id)
    Channel.objects.bulk_update(channels, ["overwrites"])


def _fresh(channel_id: int, values: dict[str, Any]) -> Channel:
    if "type" not in values:
        raise InvalidFormBody.at("type", "REQUIRED", "A channel that is new needs a type")
    channel = Channel(pk=channel_id, type=values["type"], guild_id=values.get("guild_id"))
    require_guild(channel)
    if channel.is_call:
        values = {"recipient_ids": [], **values}
    for name, value in _known(channel, values).items():
        setattr(channel, name, value)
    if channel.rtc_region is not None:
        _require_region(channel, channel.rtc_region)
    return channel


def _changed(channel: Channel, values: dict[str, Any]) -> Channel:
    """The channel, which is locked, with these values written."""
    for name in FIXED:
        if name in values and values[name] != getattr(channel, name):
            raise InvalidFormBody.at(name, "FIXED", "This is fixed when the channel is created")
    values = _known(channel, values)
    region = values.get("rtc_region", channel.rtc_region)
    if region != channel.rtc_region:
        if region is not None:
            _require_region(channel, region)
        changes.before_region_change(channel_id=channel.pk, region_id=region)
    gone = set(channel.recipient_ids) - set(values.get("recipient_ids", channel.recipient_ids))
    if gone:
        changes.before_users_removed(user_ids=sorted(gone), guild_id=None, channel_id=channel.pk)
    changed = records.write(channel, values)
    if changed & RIGHTS:
        changes.note(changes.Scope.CHANNEL, channel.pk)
    if changed:
        changes.channel_changed(channel_id=channel.pk, names=changed)
    return channel


def _known(channel: Channel, values: dict[str, Any]) -> dict[str, Any]:
    """The values, all that they refer to being there."""
    return with_known_overwrites(channel, with_known_recipients(channel, values))


def _require_region(channel: Channel, region_id: str) -> None:
    if not changes.region_is_open(region_id=region_id, guild_id=channel.guild_id):
        raise InvalidFormBody.at(
            "rtc_region", "UNKNOWN_VOICE_REGION", "Invalid or unavailable region"
        )
