"""The roles of a guild, @everyone among them. The only module that writes Role."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from fluxer.directory import changes, channels, members, records
from fluxer.directory.models import Guild, Role
from fluxer.directory.permissions import EVERYONE_DEFAULT
from fluxer.errors import Conflict, InvalidFormBody, UnknownGuild, UnknownRole

RIGHTS = {"permissions", "position"}
EVERYONE = "@everyone"


def rows(*, guild_id: int) -> QuerySet[Role]:
    """Those of one guild, or UnknownGuild."""
    if not Guild.objects.filter(pk=guild_id).exists():
        raise UnknownGuild
    return Role.objects.filter(guild_id=guild_id)


def get(*, guild_id: int, role_id: int) -> Role:
    """One role; UnknownGuild, UnknownRole."""
    role = rows(guild_id=guild_id).filter(pk=role_id).first()
    if role is None:
        raise UnknownRole
    return role


@transaction.atomic
def put(*, guild_id: int, role_id: int, **values: Any) -> tuple[Role, bool]:
    """The role with these values, and whether it is new. Conflict when the id is not this guild's.

    Without a mask @everyone has its first one, and another role none.
    """
    if not records.held(Guild.objects.filter(pk=guild_id)):
        raise UnknownGuild
    if role_id == guild_id:
        values = {"name": EVERYONE, "permissions": EVERYONE_DEFAULT, **values}
    if "name" not in values:
        raise InvalidFormBody.at("name", "REQUIRED", "This field is required.")
    values = {"permissions": 0, **values}
    role, is_new = records.claimed(
        Role.objects.filter(pk=role_id, guild_id=guild_id),
        lambda: Role(pk=role_id, guild_id=guild_id, **values),
    )
    return (role if is_new else _changed(role, values)), is_new


@transaction.atomic
def change(*, guild_id: int, role_id: int, **values: Any) -> Role:
    """The role with these values changed; UnknownGuild, UnknownRole."""
    role = records.locked(rows(guild_id=guild_id).filter(pk=role_id))
    if role is None:
        raise UnknownRole
    return _changed(role, values)


@records.begun_anew
@transaction.atomic
def remove(*, guild_id: int, role_id: int) -> None:
    """No such role any more: no member has it, no overwrite names it. Conflict for @everyone."""
    if role_id == guild_id:
        raise Conflict("@everyone stays as long as the guild")
    found = rows(guild_id=guild_id).filter(pk=role_id)
    rooms = changes.lock_channels(rooms_of(guild_id=guild_id, role_id=role_id))
    role = records.locked_to_delete(found)
    if role is None:
        return
    records.require_all_locked(rooms, rooms_of(guild_id=guild_id, role_id=role_id))
    channels.forget_role(rooms, role_id=role_id)
    members.forget_role(guild_id=guild_id, role_id=role_id)
    role.delete()
    changes.note(changes.Scope.GUILD, guild_id)


def make_everyone(*, guild_id: int) -> None:
    """The role that every member of a new guild has. Conflict when its id is another role's."""
    role = Role(pk=guild_id, guild_id=guild_id, name=EVERYONE, permissions=EVERYONE_DEFAULT)
    if not records.inserted(role):
        raise Conflict("A role of another guild has this id")


def rooms_of(*, guild_id: int, role_id: int) -> set[int]:
    """The channels with an overwrite for the role, which are locked when it is deleted."""
    return channels.with_role(guild_id=guild_id, role_id=role_id)


def _changed(role: Role, values: dict[str, Any]) -> Role:
    if records.write(role, values) & RIGHTS:
        changes.note(changes.Scope.GUILD, role.guild_id)
    return role
