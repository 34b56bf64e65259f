"""Who may moderate whom: pure but for one read of the guild."""

from dataclasses import dataclass

from django.db.models import Max

from fluxer.directory import permissions
from fluxer.directory.models import Guild, Member, Role
from fluxer.directory.permissions import Permission, names
from fluxer.errors import MissingPermissions, UnknownGuild, UnknownMember


@dataclass(frozen=True, slots=True)
class Ranked:
    """A member with what they may do in the guild, and their highest role's position."""

    user_id: int
    is_owner: bool
    position: int
    permissions: int

    def require(self, needed: Permission, *, held: int | None = None) -> None:
        """MissingPermissions unless `held` (a channel's; else the guild's) has `needed`."""
        missing = Permission(needed & ~(self.permissions if held is None else held))
        if missing:
            raise MissingPermissions(f"You lack {names(missing)}")

    def require_above(self, target: "Ranked") -> None:
        """MissingPermissions when the target is the owner, or not below; oneself is in reach."""
        if self.user_id == target.user_id:
            return
        if target.is_owner or not (self.is_owner or target.position < self.position):
            raise MissingPermissions("This member's highest role is not below yours")


def member(*, user_id: int, guild_id: int) -> Ranked:
    """The member. UnknownGuild, or UnknownMember."""
    guild = Guild.objects.filter(pk=guild_id).first()
    if guild is None:
        raise UnknownGuild
    found = Member.objects.filter(guild=guild, user_id=user_id).first()
    if found is None:
        raise UnknownMember
    roles = Role.objects.filter(guild=guild, pk__in=[*found.role_ids, guild.pk])
    is_owner = guild.owner_id == user_id
    base = permissions.base_permissions(
        is_owner=is_owner,
        is_member=True,
        role_masks=roles.values_list("permissions", flat=True),
    )
    own = roles.exclude(pk=guild.pk).aggregate(Max("position"))["position__max"]
    return Ranked(user_id, is_owner, own or 0, base)


def require_moderator(*, user_id: int, guild_id: int) -> None:
    """MissingPermissions for who may neither mute, deafen nor move anybody in the guild."""
    anybody = Permission.MUTE_MEMBERS | Permission.DEAFEN_MEMBERS | Permission.MOVE_MEMBERS
    if not member(user_id=user_id, guild_id=guild_id).permissions & anybody:
        raise MissingPermissions(f"You have none of {names(anybody)}")
