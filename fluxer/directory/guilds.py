"""The communities. The only module that writes Guild."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from fluxer.directory import changes, members, records, roles
from fluxer.directory.models import Channel, Guild, User
from fluxer.errors import InvalidFormBody, UnknownGuild

RIGHTS = {"owner_id", "features"}


def rows() -> QuerySet[Guild]:
    """All of them."""
    return Guild.objects.all()


def get(*, guild_id: int) -> Guild:
    """One guild, or UnknownGuild."""
    guild = rows().filter(pk=guild_id).first()
    if guild is None:
        raise UnknownGuild
    return guild


@transaction.atomic
def put(*, guild_id: int, **values: Any) -> tuple[Guild, bool]:
    """The guild with these values, and whether it is new: then with @everyone and its owner."""

    def fresh() -> Guild:
        _require_user(values["owner_id"])
        return Guild(pk=guild_id, **values)

    guild, is_new = records.claimed(Guild.objects.filter(pk=guild_id), fresh)
    if not is_new:
        return _changed(guild, values), False
    roles.make_everyone(guild_id=guild_id)
    members.ensure(guild_id=guild_id, user_id=guild.owner_id)
    return guild, True


@transaction.atomic
def change(*, guild_id: int, **values: Any) -> Guild:
    """The guild with these values changed, or UnknownGuild."""
    guild = records.locked(Guild.objects.filter(pk=guild_id))
    if guild is None:
        raise UnknownGuild
    return _changed(guild, values)


@records.begun_anew
@transaction.atomic
def remove(*, guild_id: int) -> None:
    """No such guild any more, nor its channels; everybody in them is out."""
    rooms = changes.lock_channels(rooms_of(guild_id=guild_id))
    guild = records.locked_to_delete(Guild.objects.filter(pk=guild_id))
    if guild is None:
        return
    records.require_all_locked(rooms, rooms_of(guild_id=guild_id))
    if rooms:
        changes.before_channels_deleted(channel_ids=[room.pk for room in rooms])
    guild.delete()


def rooms_of(*, guild_id: int) -> set[int]:
    """The channels that go with the guild, and are locked when it is deleted."""
    return set(Channel.objects.filter(guild_id=guild_id).values_list("pk", flat=True))


def _changed(guild: Guild, values: dict[str, Any]) -> Guild:
    is_given = values.get("owner_id", guild.owner_id) != guild.owner_id
    if is_given:
        _require_user(values["owner_id"])
    changed = records.write(guild, values)
    if is_given:
        members.ensure(guild_id=guild.pk, user_id=guild.owner_id)
    if changed & RIGHTS:
        changes.note(changes.Scope.GUILD, guild.pk)
    return guild


def _require_user(owner_id: int) -> None:
    if not records.held(User.objects.filter(pk=owner_id)):
        raise InvalidFormBody.at("owner_id", "UNKNOWN_USER", "No user has this id")
