"""`manage.py voice_disconnect`: people out of voice, by channel, by user or by server."""

import getpass
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.db.models import Q

from fluxer.directory.models import Channel, User
from fluxer.errors import FluxerError
from fluxer.progress import Progress
from fluxer.snowflakes import GREATEST
from regions.models import Server
from voice import operations
from voice.audit import Actor
from voice.models import VoiceState

LONGEST_REASON = 512


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everybody in a channel, or one user there."""

    channel_id: int
    user_id: int | None = None

    def disconnect(self, *, by: Actor) -> int:
        """How many connections ended."""
        if self.user_id is None:
            return operations.disconnect_channel(channel_id=self.channel_id, by=by)
        return operations.disconnect_participant(
            channel_id=self.channel_id, user_id=self.user_id, by=by
        )


class Command(BaseCommand):
    help = (
        "Ends the connections of everybody in a channel, of a user (in one channel or anywhere), or"
        " in every room of a server; LiveKit follows. Who is put out may join again, in the"
        " same place: take the right away if they should not. Asks first; without a terminal"
        " it wants --yes. Ends with 0 when everybody meant is out, also when nobody was in, and"
        " with 1 otherwise."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--channel", type=int, metavar="ID")
        parser.add_argument("--user", type=int, metavar="ID")
        parser.add_argument("--server", metavar="REGION/SERVER")
        parser.add_argument("--reason", default="", help="Kept in the guild's voice audit.")
        parser.add_argument("--dry-run", action="store_true", help="Say it, and do nothing.")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, **options: Any) -> None:
        if len(options["reason"]) > LONGEST_REASON:
            raise CommandError(f"A reason has at most {LONGEST_REASON} characters.")
        try:
            where, wanted = _meant(options["channel"], options["user"], options["server"])
            states = _states(wanted)
        except DatabaseError as error:
            raise CommandError(f"The tables cannot be read: {error}") from None
        people, rooms = len({user for user, _ in states}), len({room for _, room in states})
        said = f"{len(states)} connections of {people} people in {rooms} rooms ({where})"
        if options["dry_run"]:
            self.stdout.write(f"Would end {said}. This was a dry run: nothing was done.")
            return
        if not states:
            self.stdout.write(f"Nobody is in voice there ({where}).")
        elif not options["yes"]:
            self._ask(f"End {said}?")
        self._disconnect(wanted, options["reason"])

    def _ask(self, question: str) -> None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise CommandError(f"{question} Nobody can be asked here: say --yes.")
        try:
            answer = input(f"{question} [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was done.")

    def _disconnect(self, wanted: Sequence[Wanted], reason: str) -> None:
        by = Actor(f"staff {_operator()} (voice_disconnect)", reason=reason)
        ended, failed = 0, 0
        progress = Progress(self.stderr)
        for number, one in enumerate(wanted, 1):
            progress(f"{number} of {len(wanted)} rooms")
            try:
                ended += one.disconnect(by=by)
            except (FluxerError, DatabaseError) as error:
                failed += 1
                progress("")
                self.stderr.write(f"channel {one.channel_id}: {error}")
        progress("")
        self.stdout.write(f"{ended} connections ended.")
        if failed:
            raise CommandError(f"{failed} of {len(wanted)} rooms could not be done: try again.")


def _operator() -> str:
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):  # a container's user may have no name
        return "?"


def _meant(
    channel_id: int | None, user_id: int | None, server: str | None
) -> tuple[str, list[Wanted]]:
    """What is meant in words, and room by room. CommandError for what does not exist."""
    if server is not None and (channel_id, user_id) == (None, None):
        return f"server {server}", [Wanted(pk) for pk in _channels_on(server)]
    if server is not None or (channel_id, user_id) == (None, None):
        raise CommandError("Say --channel, --user (in a --channel, if you like), or --server.")
    if channel_id is not None and not _exists(Channel, channel_id):
        raise CommandError(f"There is no channel {channel_id}.")
    if user_id is None:
        assert channel_id is not None  # noqa: S101 for the reader of types
        return f"channel {channel_id}", [Wanted(channel_id)]
    if not _exists(User, user_id):
        raise CommandError(f"There is no user {user_id}.")
    if channel_id is not None:
        return f"user {user_id} in channel {channel_id}", [Wanted(channel_id, user_id)]
    states = VoiceState.objects.filter(user=user_id).order_by("channel_id")
    channels = dict.fromkeys(states.values_list("channel_id", flat=True))
    return f"user {user_id}", [Wanted(pk, user_id) for pk in channels]


def _exists(model: Any, pk: int) -> bool:
    return 0 <= pk <= GREATEST and model.objects.filter(pk=pk).exists()


def _channels_on(server: str) -> list[int]:
    """Channels with anybody on this server, and those pinned to it whose seats have none yet."""
    region_id, _, slug = server.partition("/")
    found = Server.objects.filter(region_id=region_id, slug=slug).first()
    if found is None:
        raise CommandError(f"There is no server {server}: say REGION/SERVER.")
    here = Q(voice_states__server=found) | Q(pin__server=found, voice_states__isnull=False)
    return list(Channel.objects.filter(here).distinct().order_by("pk").values_list("pk", flat=True))


def _states(wanted: Sequence[Wanted]) -> list[tuple[int, int]]:
    """(user, channel) of every connection that is meant."""
    found = VoiceState.objects.filter(channel_id__in=[one.channel_id for one in wanted])
    users = {one.user_id for one in wanted if one.user_id is not None}
    if users:
        found = found.filter(user_id__in=users)
    return list(found.values_list("user_id", "channel_id"))
