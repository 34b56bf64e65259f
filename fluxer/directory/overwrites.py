"""A channel's own permissions, as its row keeps them: masks as decimal strings, as in the API."""

from typing import Any

from fluxer.directory import records
from fluxer.directory.models import Channel, Role
from fluxer.directory.permissions import ROLE
from fluxer.errors import InvalidFormBody


def with_known_overwrites(channel: Channel, values: dict[str, Any]) -> dict[str, Any]:
    """The values with the overwrites as they are kept.

    A role must be the guild's; a member may be anybody, for members come and go. InvalidFormBody
    for another role, for the same one twice, and for any overwrite in a call.
    """
    if "overwrites" not in values:
        return values
    overwrites = values["overwrites"]
    if overwrites and channel.is_call:
        raise InvalidFormBody.at("overwrites", "NOT_FOR_CALLS", "A DM has no overwrites")
    named = [overwrite["id"] for overwrite in overwrites if overwrite["type"] == ROLE]
    of_guild = Role.objects.filter(guild=channel.guild_id, pk__in=named)
    known = records.held(of_guild) if named else set()
    errors, seen = [], set()
    for index, overwrite in enumerate(overwrites):
        subject = (overwrite["type"], overwrite["id"])
        if subject in seen:
            errors.append(_error(index, "DUPLICATE", "This one has an overwrite already"))
        elif overwrite["type"] == ROLE and overwrite["id"] not in known:
            errors.append(_error(index, "UNKNOWN_ROLE", "The guild has no such role"))
        seen.add(subject)
    if errors:
        raise InvalidFormBody(errors)
    return {**values, "overwrites": [_kept(overwrite) for overwrite in overwrites]}


def without_role(overwrites: list[dict[str, Any]], *, role_id: int) -> list[dict[str, Any]]:
    """The overwrites but for the one of this role."""
    return [
        overwrite
        for overwrite in overwrites
        if (overwrite["type"], overwrite["id"]) != (ROLE, str(role_id))
    ]


def _kept(overwrite: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(overwrite["id"]),
        "type": int(overwrite["type"]),
        "allow": str(overwrite["allow"]),
        "deny": str(overwrite["deny"]),
    }


def _error(index: int, code: str, message: str) -> dict[str, str]:
    return {"path": f"overwrites.{index}.id", "code": code, "message": message}
