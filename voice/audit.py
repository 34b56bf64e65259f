"""Who did what to whom, where and why. The only writer of AuditEntry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voice import journal
from voice.models import AuditEntry

_WORDS = {
    ("mute", True): "mute",
    ("mute", False): "unmute",
    ("deaf", True): "deafen",
    ("deaf", False): "undeafen",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user, the back end (`service`), or staff by name."""

    name: str
    user_id: int | None = None
    reason: str = ""

    @classmethod
    def user(cls, user_id: int, *, reason: str = "") -> "Actor":
        return cls("user", user_id, reason)


SERVICE = Actor("service")


def write(
    actor: Actor,
    action: str,
    *,
    guild_id: int | None,
    channel_id: int | None = None,
    target_id: int | None = None,
) -> None:
    """Leave an entry, in the transaction of what it tells of, and a line in the log."""
    AuditEntry.objects.create(
        guild_id=guild_id,
        actor_id=actor.user_id,
        actor=actor.name,
        action=action,
        target_id=target_id,
        channel_id=channel_id,
        reason=actor.reason,
    )
    # Without the reason: that is theirs to say, and for the guild.
    journal.tell(
        action,
        actor=actor.name,
        actor_id=actor.user_id,
        user_id=target_id,
        channel_id=channel_id,
        guild_id=guild_id,
    )


def words(
    actor: Actor,
    said: Mapping[str, bool],
    *,
    guild_id: int | None,
    target_id: int,
    channel_id: int | None = None,
) -> None:
    """Leave an entry for each of `mute` and `deaf` that was said."""
    for word, value in said.items():
        write(
            actor,
            _WORDS[word, value],
            guild_id=guild_id,
            target_id=target_id,
            channel_id=channel_id,
        )


def entries(*, guild_id: int, before: int | None, limit: int) -> list[dict[str, Any]]:
    """A guild's entries, newest first."""
    found = AuditEntry.objects.filter(guild_id=guild_id).order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    return [_shown(entry) for entry in found[:limit]]


def _shown(entry: AuditEntry) -> dict[str, Any]:
    ids = {name: getattr(entry, name) for name in ("actor_id", "target_id", "channel_id")}
    return {
        "id": str(entry.pk),
        "action": entry.action,
        **{name: None if value is None else str(value) for name, value in ids.items()},
        "reason": entry.reason or None,
        "at": entry.at.isoformat().replace("+00:00", "Z"),
    }
