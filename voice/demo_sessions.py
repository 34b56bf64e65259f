"""Signing in to the demo: a session for one of its people, with all that its page shows."""

import secrets
from typing import Any

from django.conf import settings

from fluxer.directory import standing
from fluxer.directory.models import Channel
from fluxer.directory.permissions import Permission
from fluxer.errors import NotFound, UnknownUser
from voice import demo

_MAY = {
    "mute": Permission.MUTE_MEMBERS,
    "deafen": Permission.DEAFEN_MEMBERS,
    "move": Permission.MOVE_MEMBERS,
    "region": Permission.UPDATE_RTC_REGION,
}


def require_demo() -> None:
    """NotFound where there is no demo: nobody made it, or the directory holds what it did not."""
    if not settings.FLUXER_DEMO or not settings.FLUXER_AUTH_JWT_KEY:
        raise NotFound
    if demo.is_foreign() or not demo.is_made():
        raise NotFound


def people() -> list[dict[str, Any]]:
    """The demo's people, with what they are in its guild."""
    return [
        {"id": str(user_id), "name": name.title(), "role": _role(user_id)}
        for user_id, name in demo.PEOPLE.items()
    ]


def begin(user_id: int) -> dict[str, Any]:
    """A session of its own for each call: every browser tab is a device. UnknownUser for whoever
    is not of the demo."""
    if user_id not in demo.PEOPLE:
        raise UnknownUser
    session = f"demo_{secrets.token_urlsafe(12)}"
    everybody = people()
    here = standing.read(user_id=user_id, channel_id=demo.LOUNGE)
    return {
        "token": demo.sign(user_id, session=session),
        "session_id": session,
        "user": next(person for person in everybody if person["id"] == str(user_id)),
        "guild": {"id": str(demo.GUILD), "name": "Demo guild"},
        "people": everybody,
        "channels": _channels(),
        "may": {name: here is not None and here.may(bit) for name, bit in _MAY.items()},
    }


def _channels() -> list[dict[str, Any]]:
    found = Channel.objects.filter(pk__in=demo.VOICE_CHANNELS).order_by("pk")
    return [
        {"id": str(channel.pk), "name": channel.name, "user_limit": channel.user_limit}
        for channel in found
    ]


def _role(user_id: int) -> str:
    return {demo.OWNER: "owner", demo.MODERATOR: "moderator"}.get(user_id, "member")
