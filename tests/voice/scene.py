"""The stage of the voice tests: a guild, its people and channels, and LiveKit servers.

alice owns the guild, bob and moira are members (moira moderates), charlie is not.
"""

import time
import uuid
from datetime import timedelta
from typing import Any

import jwt
from django.conf import settings
from django.test import Client
from django.utils import timezone

from fluxer.directory.models import Channel, ChannelType, Guild, Member, Role, User
from fluxer.directory.permissions import EVERYONE_DEFAULT, Permission
from regions.models import Region, Server
from tests.livekit.fake import FakeLiveKit
from voice import heartbeats
from voice.models import DueRoom, EndedConnection, Heartbeat, RoomPin, VoiceState
from voice.rooms import new_connection_id

ALICE, BOB, CHARLIE, MOIRA = 1, 2, 3, 4
GUILD, MODERATORS = 10, 11
VOICE, TEXT, DM, GROUP, OTHER_VOICE = 100, 101, 102, 103, 104
PLACES = {"us-west": (45.5, -122.7), "us-east": (39.0, -77.5), "eu-central": (50.1, 8.7)}


def people(*, members: int = 0) -> None:
    """The cast, their guild and its channels; `members` more, with ids from 1000."""
    for pk, name in ((ALICE, "alice"), (BOB, "bob"), (CHARLIE, "charlie"), (MOIRA, "moira")):
        User.objects.create(pk=pk, username=name)
    Guild.objects.create(pk=GUILD, name="guild", owner_id=ALICE)
    Role.objects.create(pk=GUILD, guild_id=GUILD, name="@everyone", permissions=EVERYONE_DEFAULT)
    moderation = Permission.MUTE_MEMBERS | Permission.DEAFEN_MEMBERS | Permission.MOVE_MEMBERS
    Role.objects.create(
        pk=MODERATORS, guild_id=GUILD, name="mods", permissions=moderation, position=5
    )
    for pk in (ALICE, BOB, MOIRA):
        roles = [MODERATORS] if pk == MOIRA else []
        Member.objects.create(guild_id=GUILD, user_id=pk, role_ids=roles)
    more_members(members)
    for pk, kind in ((VOICE, 2), (OTHER_VOICE, 2), (TEXT, 0)):
        Channel.objects.create(pk=pk, type=kind, guild_id=GUILD, name=f"channel{pk}")
    Channel.objects.create(pk=DM, type=ChannelType.DM, recipient_ids=[ALICE, BOB])
    Channel.objects.create(pk=GROUP, type=ChannelType.GROUP_DM, recipient_ids=[ALICE, BOB, MOIRA])


def more_members(count: int) -> None:
    """Members with ids from 1000."""
    more = [User(pk=1000 + n, username=f"user{n}") for n in range(count)]
    User.objects.bulk_create(more)
    Member.objects.bulk_create([Member(guild_id=GUILD, user_id=user.pk) for user in more])


def server(fake: Any, region: str = "us-west", slug: str = "", **fields: Any) -> Server:
    """A server in the table for a fake (or real) one that runs. us-west is the default region."""
    latitude, longitude = PLACES[region]
    Region.objects.get_or_create(
        pk=region,
        defaults={
            "name": region.title(),
            "latitude": latitude,
            "longitude": longitude,
            "is_default": region == "us-west",
        },
    )
    return Server.objects.create(
        region_id=region,
        slug=slug or f"{region}-{Server.objects.filter(region_id=region).count() + 1}",
        endpoint=fake.url,
        api_url=fake.api_url,
        api_key=fake.key,
        api_secret=fake.secret,
        **fields,
    )


def beating(*, silent: tuple[str, ...] = (), since: float = 0) -> None:
    """Beat and the workers live; the silent ones have not been heard of for so many seconds."""
    Heartbeat.objects.all().delete()
    now = timezone.now()
    for name in (heartbeats.BEAT, *heartbeats.QUEUES):
        at = now - timedelta(seconds=since) if name in silent else now
        heartbeats.write(name, now=at)


def bearer(user_id: int, *, sid: str | None = None, **claims: Any) -> str:
    """A caller's `Authorization`."""
    payload = {"sub": str(user_id), "exp": int(time.time()) + 600, **claims}
    if sid is not None:
        payload["sid"] = sid
    return "Bearer " + jwt.encode(payload, settings.FLUXER_AUTH_JWT_KEY, algorithm="HS256")


class Caller:
    """Somebody's client of our API. `sid`: one of their devices."""

    def __init__(self, user_id: int, *, sid: str | None = None) -> None:
        self.user_id = user_id
        self._client = Client(raise_request_exception=False)
        self._headers = {"Authorization": bearer(user_id, sid=sid)}

    def post(self, path: str, body: Any = None) -> Any:
        return self._client.post(
            path, body or {}, content_type="application/json", headers=self._headers
        )

    def get(self, path: str) -> Any:
        return self._client.get(path, headers=self._headers)

    def patch(self, path: str, body: Any) -> Any:
        return self._client.patch(
            path, body, content_type="application/json", headers=self._headers
        )

    def ask(self, channel_id: int = VOICE, **body: Any) -> Any:
        """The answer to a token request; the guild is named where the channel has one."""
        if channel_id in (VOICE, TEXT, OTHER_VOICE):
            body.setdefault("guild_id", str(GUILD))
        return self.post(f"/channels/{channel_id}/voice/token", body)

    def token(self, channel_id: int = VOICE, **body: Any) -> dict[str, str]:
        """A token, or the test fails."""
        response = self.ask(channel_id, **body)
        assert response.status_code == 200, response.content
        grant: dict[str, str] = response.json()
        return grant


def connect(fake: FakeLiveKit) -> None:
    """Have the fake's webhooks come to our route at once."""
    client = Client(raise_request_exception=False)

    def deliver(body: bytes, headers: dict[str, str]) -> int:
        response = client.post(
            "/webhooks/livekit",
            body,
            content_type=headers["Content-Type"],
            headers={"Authorization": headers["Authorization"]},
        )
        return int(response.status_code)

    fake.webhooks.to(deliver)


def seat(
    user_id: int,
    channel_id: int = VOICE,
    *,
    server: Server | None = None,
    session: str | None = None,
    is_joined: bool = False,
    **fields: Any,
) -> VoiceState:
    """A connection put into the table by hand, with no token, pin or LiveKit behind it."""
    now, connection_id = timezone.now(), new_connection_id()
    joined = {"joined_at": now, "participant_sid": f"PA_{connection_id}"}
    seated = {"seat_until": now + timedelta(seconds=120)}
    state: VoiceState = VoiceState.objects.create(
        **{
            "connection_id": connection_id,
            "user_id": user_id,
            "channel_id": channel_id,
            "server": server,
            "session": session or connection_id,
            "token_nonce": None if server is None else uuid.uuid4(),
            "created_at": now,
            **(joined if is_joined else seated),
            **fields,
        }
    )
    return state


def written() -> dict[str, list[dict[str, Any]]]:
    """All that voice has in its tables, to be compared with what it has later."""
    tables: tuple[Any, ...] = (RoomPin, VoiceState, EndedConnection, DueRoom)
    return {table.__name__: list(table.objects.order_by("pk").values()) for table in tables}
