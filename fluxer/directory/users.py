"""The people and bots of the chat product. The only module that writes User."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from fluxer.directory import changes, channels, records
from fluxer.directory.models import Guild, User
from fluxer.errors import Conflict, UnknownUser


def rows() -> QuerySet[User]:
    """All of them."""
    return User.objects.all()


def get(*, user_id: int) -> User:
    """One user, or UnknownUser."""
    user = rows().filter(pk=user_id).first()
    if user is None:
        raise UnknownUser
    return user


@transaction.atomic
def put(*, user_id: int, **values: Any) -> tuple[User, bool]:
    """The user with these values, and whether they are new."""
    user, is_new = records.claimed(
        User.objects.filter(pk=user_id), lambda: User(pk=user_id, **values)
    )
    return (user if is_new else _changed(user, values)), is_new


@transaction.atomic
def change(*, user_id: int, **values: Any) -> User:
    """The user with these values changed, or UnknownUser."""
    user = records.locked(User.objects.filter(pk=user_id))
    if user is None:
        raise UnknownUser
    return _changed(user, values)


@records.begun_anew
@transaction.atomic
def remove(*, user_id: int) -> None:
    """No such user any more: out of every guild, call and room. Conflict while they own a guild."""
    rooms = changes.lock_channels(rooms_of(user_id=user_id))
    user = records.locked_to_delete(User.objects.filter(pk=user_id))
    if user is None:
        return
    if Guild.objects.filter(owner_id=user_id).exists():
        raise Conflict("This user owns a guild; give it to another first")
    records.require_all_locked(rooms, rooms_of(user_id=user_id))
    changes.before_users_removed(user_ids=[user_id], guild_id=None, channel_id=None)
    channels.forget_recipient(user_id=user_id)
    user.delete()


def rooms_of(*, user_id: int) -> set[int]:
    """The channels that are locked when the user is deleted: where they are, or may call."""
    return changes.rooms_of_users([user_id]) | channels.calls_of(user_id=user_id)


def _changed(user: User, values: dict[str, Any]) -> User:
    if "is_claimed" in records.write(user, values):
        changes.note(changes.Scope.USER, user.pk)
    return user
