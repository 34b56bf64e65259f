"""Who is in a guild, with which roles. The only module that writes Member."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Func, QuerySet, Value

from fluxer.directory import changes, records
from fluxer.directory.models import Channel, Guild, Member, Role, User
from fluxer.errors import Conflict, InvalidFormBody, UnknownGuild, UnknownMember, UnknownUser

RIGHTS = {"role_ids", "mute", "deaf", "timed_out_until"}
SILENCE = ("mute", "deaf")


def rows(*, guild_id: int) -> QuerySet[Member]:
    """Those of one guild, or UnknownGuild."""
    if not Guild.objects.filter(pk=guild_id).exists():
        raise UnknownGuild
    return Member.objects.filter(guild_id=guild_id)


def get(*, guild_id: int, user_id: int) -> Member:
    """One member; UnknownGuild, UnknownMember."""
    member = rows(guild_id=guild_id).filter(user_id=user_id).first()
    if member is None:
        raise UnknownMember
    return member


@transaction.atomic
def put(*, guild_id: int, user_id: int, **values: Any) -> tuple[Member, bool]:
    """The member with these values, and whether they are new; UnknownGuild, UnknownUser."""
    if not records.held(Guild.objects.filter(pk=guild_id)):
        raise UnknownGuild
    if not records.held(User.objects.filter(pk=user_id)):
        raise UnknownUser
    values = _with_known_roles(guild_id, values)
    member, is_new = records.claimed(
        Member.objects.filter(guild_id=guild_id, user_id=user_id),
        lambda: Member(guild_id=guild_id, user_id=user_id, **values),
    )
    return (member if is_new else _changed(member, values)), is_new


@transaction.atomic
def change(*, guild_id: int, user_id: int, **values: Any) -> Member:
    """The member with these values changed; UnknownGuild, UnknownMember."""
    found = rows(guild_id=guild_id).filter(user_id=user_id)
    values = _with_known_roles(guild_id, values)
    member = records.locked(found)
    if member is None:
        raise UnknownMember
    return _changed(member, values)


@records.begun_anew
@transaction.atomic
def remove(*, guild_id: int, user_id: int) -> None:
    """No member any more, and out of the guild's rooms. Conflict for the owner; UnknownGuild."""
    rooms = changes.lock_channels(rooms_of(guild_id=guild_id, user_id=user_id))
    guild = records.locked(Guild.objects.filter(pk=guild_id))
    if guild is None:
        raise UnknownGuild
    if guild.owner_id == user_id:
        raise Conflict("The owner stays a member; give the guild to another first")
    member = records.locked_to_delete(Member.objects.filter(guild_id=guild_id, user_id=user_id))
    if member is None:
        return
    records.require_all_locked(rooms, rooms_of(guild_id=guild_id, user_id=user_id))
    changes.before_users_removed(user_ids=[user_id], guild_id=guild_id, channel_id=None)
    member.delete()


def ensure(*, guild_id: int, user_id: int) -> None:
    """The user is a member, as they were or anew."""
    if not Member.objects.filter(guild_id=guild_id, user_id=user_id).exists():
        records.inserted(Member(guild_id=guild_id, user_id=user_id))


def forget_role(*, guild_id: int, role_id: int) -> None:
    """No member of the guild has the role any more."""
    having = Member.objects.filter(guild_id=guild_id, role_ids__contains=[role_id])
    having.update(role_ids=Func(F("role_ids"), Value(role_id), function="array_remove"))


def rooms_of(*, guild_id: int, user_id: int) -> set[int]:
    """The guild's channels where the user is; they are locked when the member goes."""
    rooms = Channel.objects.filter(guild_id=guild_id, pk__in=changes.rooms_of_users([user_id]))
    return set(rooms.values_list("pk", flat=True))


def _with_known_roles(guild_id: int, values: dict[str, Any]) -> dict[str, Any]:
    """The values with each role once, and without @everyone, which all have."""
    if "role_ids" not in values:
        return values
    role_ids: Sequence[int] = [pk for pk in dict.fromkeys(values["role_ids"]) if pk != guild_id]
    if role_ids:
        known = records.held(Role.objects.filter(guild_id=guild_id, pk__in=role_ids))
        if set(role_ids) - known:
            raise InvalidFormBody.at("role_ids", "UNKNOWN_ROLE", "The guild has no such role")
    return {**values, "role_ids": role_ids}


def _changed(member: Member, values: dict[str, Any]) -> Member:
    changed = records.write(member, values)
    if changed & RIGHTS:
        changes.note(changes.Scope.MEMBER, member.user_id, guild_id=member.guild_id)
    if words := {name: values[name] for name in SILENCE if name in changed}:
        changes.member_silenced(guild_id=member.guild_id, user_id=member.user_id, words=words)
    return member
