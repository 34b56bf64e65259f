"""Which regions are open to whom, where the directory has to be asked."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from fluxer.directory import changes
from fluxer.directory.models import Guild, Member
from fluxer.errors import UnknownGuild, UnknownMember
from regions.models import Region
from regions.places import Restriction


def guild_of_member(*, user_id: int, guild_id: int) -> Guild:
    """The guild, to one of its members. UnknownGuild; UnknownMember to everybody else."""
    member = Member.objects.filter(guild=OuterRef("pk"), user=user_id)
    guild = Guild.objects.filter(pk=guild_id).annotate(is_member=Exists(member)).first()
    if guild is None:
        raise UnknownGuild
    if not guild.is_member:
        raise UnknownMember
    return guild


@changes.region_allowed.register
def region_allowed(*, region_id: str, guild_id: int | None) -> bool:
    """A channel of this guild (None: a call) may be put into this region: everybody in it may go
    there, so the region exists, lists no users, and its guild gates let the guild in."""
    region = Region.objects.filter(pk=region_id).first()
    if region is None:
        return False
    restriction = restriction_of(region)
    if restriction.allowed_user_ids:
        return False
    if not restriction.has_guild_gate:
        return True
    guild = Guild.objects.filter(pk=guild_id).first() if guild_id is not None else None
    return guild is not None and restriction.admits_guild(guild.pk, guild.features)


def restriction_of(region: Region) -> Restriction:
    """The region's restriction, as a plain value."""
    return Restriction(
        vip_only=region.vip_only,
        required_guild_features=region.required_guild_features,
        allowed_guild_ids=region.allowed_guild_ids,
        allowed_user_ids=region.allowed_user_ids,
    )
