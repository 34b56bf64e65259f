"""`make bench`: what a token costs, each figure beside its alternative, taken in turns in one run.

Single times on a shared machine mean little; the ratio of two that were measured in turns means
something. Nothing here passes or fails.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from tests import services

ROUNDS = 300
Work = Callable[[], object]


def compare(title: str, one: tuple[str, Work], other: tuple[str, Work]) -> None:
    """Print both medians and how many times slower the second is."""
    times: dict[str, list[float]] = {one[0]: [], other[0]: []}
    for round_ in range(ROUNDS + 20):
        for name, work in (one, other):
            began = time.perf_counter()
            work()
            if round_ >= 20:  # the first ones warm up
                times[name].append(time.perf_counter() - began)
    first, second = (statistics.median(times[name]) * 1e6 for name in (one[0], other[0]))
    print(f"{title}\n  {one[0]:<44} {first:>9.0f} µs\n  {other[0]:<44} {second:>9.0f} µs", end="")
    print(f"   x {second / first:.2f}\n")


def main() -> int:
    with ExitStack() as stack:
        services.start_django(stack)
        run(stack)
    return 0


def run(stack: ExitStack) -> None:
    """Every comparison, on a guild with a busy channel and a fake LiveKit."""
    import logging

    from django.db.models import F

    from fluxer.directory import standing
    from fluxer.directory.models import Channel, Guild, Member, Role, User
    from tests.livekit.fake import FakeLiveKit
    from tests.voice import scene
    from voice import tokens
    from voice.access import Wish
    from voice.models import RoomPin

    logging.disable(logging.WARNING)
    scene.people(members=60)
    fake = FakeLiveKit()
    stack.callback(fake.close)
    scene.server(fake)
    for user_id in range(1000, 1050):
        tokens.issue(Wish(user_id, scene.VOICE, scene.GUILD, None))

    mine = tokens.issue(Wish(scene.ALICE, scene.VOICE, scene.GUILD, None))["connection_id"]

    def renewal() -> object:
        wish = Wish(scene.ALICE, scene.VOICE, scene.GUILD, None, connection_id=mine)
        return tokens.issue(wish)

    def cold() -> object:
        RoomPin.objects.update(made_at=F("made_at") - timedelta(hours=1))
        return renewal()

    def by_models() -> object:
        user = User.objects.get(pk=scene.ALICE)
        channel = Channel.objects.get(pk=scene.VOICE)
        guild = Guild.objects.get(channels=channel)
        member = Member.objects.get(guild=guild, user=user)
        return list(Role.objects.filter(guild=guild, pk__in=[*member.role_ids, guild.pk]))

    alice = scene.Caller(scene.ALICE)
    compare(
        "A token in a room of 50 (in process, without HTTP)",
        ("warm room", renewal),
        ("cold room (with CreateRoom on a fake)", cold),
    )
    compare(
        "The same over our HTTP stack",
        ("tokens.issue", renewal),
        ("POST /channels/{id}/voice/token", lambda: alice.token(connection_id=mine)),
    )
    compare(
        "A user's standing in a channel",
        (
            "one statement",
            lambda: standing.read(user_id=scene.ALICE, channel_id=scene.VOICE),
        ),
        ("model instances", by_models),
    )
    _tokens()


def _tokens() -> None:
    import json

    import jwt
    from livekit import api

    secret, metadata = "s" * 40, json.dumps({"user_id": "1"})
    now = int(time.time())

    def ours() -> object:
        claims = {
            "iss": "key",
            "sub": "user_1_conn_x",
            "nbf": now,
            "exp": now + 60,
            "video": {"room": "r", "roomJoin": True, "canPublish": True},
            "metadata": metadata,
        }
        return jwt.encode(claims, secret, algorithm="HS256")

    def theirs() -> object:
        grants = api.VideoGrants(room_join=True, room="r", can_publish=True)
        token = api.AccessToken("key", secret).with_identity("user_1_conn_x")
        return token.with_metadata(metadata).with_grants(grants).to_jwt()

    compare("Signing a token", ("PyJWT", ours), ("the SDK's builder", theirs))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fluxer.settings")
    sys.exit(main())
