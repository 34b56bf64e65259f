"""The one seam upward: what other apps must do when the directory changes.

The directory knows nothing of regions or rooms. They fill the hooks below when their app starts.
Hooks named `before_…` run inside the directory's transaction, with the channels concerned locked
in id order, before the rows go or change. `drain` runs after commit and may fail: the RightsChange
rows are the promise, and beat finds them anyway.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import transaction

from fluxer.directory.models import Channel, RightsChange

log = logging.getLogger(__name__)

Scope = RightsChange.Scope


class Hook:
    """Functions that other apps registered, called in the order of registration."""

    def __init__(self) -> None:
        self._functions: list[Callable[..., Any]] = []

    def register(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Add a function; usable as a decorator."""
        self._functions.append(function)
        return function

    def __call__(self, **values: Any) -> list[Any]:
        return [function(**values) for function in self._functions]


# (channel_ids): connections end, pins go, rooms are emptied.
before_channels_deleted = Hook()
# (user_ids, guild_id | None, channel_id | None): connections of these users end, in that guild or
# channel, or everywhere.
before_users_removed = Hook()
# (channel_id, region_id): the region change; the row still has the old value.
before_region_change = Hook()
# (channel_id, names): these columns of a channel were changed, and are written.
channel_changed = Hook()
# (user_ids) -> iterable of channel ids in which these users have connections, to be locked first.
channels_of_users = Hook()
# (guild_id, user_id, words): a member's `mute` or `deaf` was changed to what `words` says.
member_silenced = Hook()
# (region_id, guild_id) -> bool: may this guild (None: a call) be put into this region?
region_allowed = Hook()
# (): drain the RightsChange rows soon.
drain = Hook()


def lock_channels(channel_ids: Iterable[int]) -> list[Channel]:
    """The channels, their rows (= their rooms) locked, in id order so that no two can deadlock."""
    return list(
        Channel.objects.select_for_update(no_key=True)
        .filter(pk__in=set(channel_ids))
        .order_by("pk")
    )


def rooms_of_users(user_ids: Sequence[int]) -> set[int]:
    """The channels in which these users have connections, as all hooks together know them."""
    return {pk for found in channels_of_users(user_ids=user_ids) for pk in found}


def region_is_open(*, region_id: str, guild_id: int | None) -> bool:
    """The region exists and takes this guild (None: a call). Where nobody knows regions, no."""
    answers = region_allowed(region_id=region_id, guild_id=guild_id)
    return bool(answers) and all(answers)


def note(scope: "RightsChange.Scope", subject_id: int, *, guild_id: int | None = None) -> None:
    """Write down that rights may have changed. Call it in the transaction of the change."""
    RightsChange.objects.create(scope=scope, subject_id=subject_id, guild_id=guild_id)
    _drain_after_commit()


def _drain_after_commit() -> None:
    """Once a transaction, however much it changes: a batch must not ask a thousand times."""
    if not any(function is _drain for _, function, _ in transaction.get_connection().run_on_commit):
        transaction.on_commit(_drain, robust=True)


def _drain() -> None:
    drain()
