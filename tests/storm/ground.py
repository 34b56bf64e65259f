"""Where the storm happens: guilds, channels and people, fake LiveKit servers, the product."""

from __future__ import annotations

import http.client
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings

from fluxer.directory.models import Channel, ChannelType, Guild, Member, Role, User
from fluxer.directory.permissions import EVERYONE_DEFAULT, Permission
from tests.faults.product import Product
from tests.livekit.fake import FakeLiveKit
from tests.voice.scene import PLACES, bearer, server

GUILDS, MEMBERS, CHANNELS = 5, 16, 4
LIMITS = (0, 3, 5, 0)  # of a guild's channels, in turn; moderators move people to the first only
CALLS = 4

# Shorter than in life, in the same proportions, so that a minute sees every timer run out.
PACE = {
    "VOICE_TOKEN_TTL": 10,
    "VOICE_PIN_TIMEOUT": 3,
    "VOICE_SWEEP_INTERVAL": 2,
    "VOICE_GHOST_GRACE": 2,
    "VOICE_RETURN_WINDOW": 5,
    "VOICE_PROBE_INTERVAL": 3,
    "VOICE_ROOM_WARM": 2,
}


class Ground:
    """`fakes` by their endpoint; `channels` by id, with guild (0: a call) and limit."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self.fakes: dict[str, FakeLiveKit] = {}
        self.channels: dict[int, tuple[int, int]] = {}
        self.members: dict[int, list[int]] = {}
        self.moderators: dict[int, int] = {}
        self._people()
        for region in PLACES:
            fake = FakeLiveKit()
            stack.callback(fake.close)
            self.fakes[fake.url] = fake
            server(fake, region)
        cores = os.cpu_count() or 2
        self.product = Product(directory, stack, **PACE, WEB_PROCESSES=max(2, cores))
        self.product.start()
        for _ in range(cores // 4):  # one worker keeps up with what a few cores can ask for
            self.product.worker()
        for region, fake in zip(PLACES, self.fakes.values(), strict=True):
            url = f"{self.product.url}/webhooks/livekit/{region}/{region}-1"
            fake.webhooks.retry_wait = 0.2
            fake.webhooks.to_url(url)

    def _people(self) -> None:
        for guild in range(1, GUILDS + 1):
            guild_id = guild * 1000
            ids = [guild_id + n for n in range(1, MEMBERS + 1)]
            User.objects.bulk_create([User(pk=pk, username=f"u{pk}") for pk in ids])
            Guild.objects.create(pk=guild_id, name=f"g{guild}", owner_id=ids[0])
            Role.objects.create(
                pk=guild_id, guild_id=guild_id, name="@everyone", permissions=EVERYONE_DEFAULT
            )
            power = Permission.MUTE_MEMBERS | Permission.DEAFEN_MEMBERS | Permission.MOVE_MEMBERS
            power |= Permission.UPDATE_RTC_REGION
            Role.objects.create(
                pk=guild_id + 500, guild_id=guild_id, name="mods", permissions=power, position=9
            )
            Role.objects.create(
                pk=guild_id + 501, guild_id=guild_id, name="moody", permissions=0, position=1
            )
            for number, pk in enumerate(ids):
                roles = [guild_id + 500] if number == 1 else [guild_id + 501] * (number % 2)
                Member.objects.create(guild_id=guild_id, user_id=pk, role_ids=roles)
            for number in range(CHANNELS):
                pk, limit = guild_id + 100 + number, LIMITS[number % len(LIMITS)]
                Channel.objects.create(
                    pk=pk, type=2, guild_id=guild_id, name=f"c{pk}", user_limit=limit
                )
                self.channels[pk] = (guild_id, limit)
            self.members[guild_id], self.moderators[guild_id] = ids, ids[1]
        for number in range(CALLS):
            kind = ChannelType.DM if number % 2 else ChannelType.GROUP_DM
            ids = self.members[1000][2 * number : 2 * number + (2 if number % 2 else 4)]
            Channel.objects.create(pk=9000 + number, type=kind, recipient_ids=ids)
            self.channels[9000 + number] = (0, 0)
            self.members[-(9000 + number)] = ids

    def people_of(self, channel_id: int) -> list[int]:
        """Who may want to be there."""
        guild_id, _ = self.channels[channel_id]
        return self.members[guild_id or -channel_id]


class Wire:
    """One keep-alive connection to the product, for one thread. `retry_after`: what the last
    answer said of it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.retry_after: str | None = None
        self._connection: http.client.HTTPConnection | None = None

    def call(
        self, method: str, path: str, body: Any = None, *, user: int | None, sid: str | None = None
    ) -> tuple[int, Any]:
        """Status and body; status 0 when nobody answered. Without a user: the back end."""
        authorization = (
            f"Bearer {settings.FLUXER_SERVICE_TOKEN[0]}" if user is None else bearer(user, sid=sid)
        )
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        payload = None if body is None else json.dumps(body)
        for _ in range(2):
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
            try:
                self._connection.request(method, path, payload, headers)
                answer = self._connection.getresponse()
                raw = answer.read()
                self.retry_after = answer.headers["Retry-After"]
            except (OSError, http.client.HTTPException):
                self.close()
                continue
            return answer.status, json.loads(raw) if raw else None
        return 0, None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
