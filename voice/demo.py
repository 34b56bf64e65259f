"""A guild to try voice with: three people, a few channels, and tokens for just those people.

It signs for nobody else, for nobody before they are made, and refuses a directory that holds
anything it did not make.
"""

import time

import jwt
from django.conf import settings
from django.db import transaction

from fluxer.directory import channels, guilds, members, roles, users
from fluxer.directory.models import Channel, ChannelType, Guild, User
from fluxer.directory.permissions import Permission

PEOPLE = {9001: "alice", 9002: "bob", 9003: "carol"}
OWNER, MODERATOR = 9001, 9002
GUILD, MODERATORS = 9100, 9101
LOUNGE, MUSIC, BOOTH, TEXT, DIRECT = 9200, 9201, 9202, 9203, 9204
VOICE_CHANNELS = {LOUNGE: ("Lounge", 0), MUSIC: ("Music", 0), BOOTH: ("Booth for two", 2)}
TOKEN_LIFE = 24 * 3600  # seconds


class NotADemo(Exception):
    """The directory holds somebody else's people."""


@transaction.atomic
def prepare() -> None:
    """The demo's directory, made or made good again. NotADemo when there is any other."""
    if is_foreign():
        raise NotADemo
    for user_id, name in PEOPLE.items():
        users.put(user_id=user_id, username=name, display_name=name.title())
    guilds.put(guild_id=GUILD, name="Demo guild", owner_id=OWNER)
    moderation = Permission.MUTE_MEMBERS | Permission.DEAFEN_MEMBERS | Permission.MOVE_MEMBERS
    roles.put(
        guild_id=GUILD,
        role_id=MODERATORS,
        name="Moderators",
        permissions=int(moderation | Permission.UPDATE_RTC_REGION),
        position=1,
    )
    for user_id in PEOPLE:
        held = [MODERATORS] if user_id == MODERATOR else []
        members.put(guild_id=GUILD, user_id=user_id, role_ids=held)
    for channel_id, (name, limit) in VOICE_CHANNELS.items():
        channels.put(
            channel_id=channel_id,
            type=ChannelType.GUILD_VOICE,
            guild_id=GUILD,
            name=name,
            user_limit=limit,
        )
    channels.put(channel_id=TEXT, type=ChannelType.GUILD_TEXT, guild_id=GUILD, name="text")
    channels.put(channel_id=DIRECT, type=ChannelType.DM, recipient_ids=[OWNER, MODERATOR])


def is_foreign() -> bool:
    """Anybody or anything is there that the demo did not make."""
    ours = [*VOICE_CHANNELS, TEXT, DIRECT]
    return (
        User.objects.exclude(pk__in=PEOPLE).exists()
        or Guild.objects.exclude(pk=GUILD).exists()
        or Channel.objects.exclude(pk__in=ours).exists()
    )


def is_made() -> bool:
    """The guild and the people are there, as the demo makes them."""
    people = User.objects.filter(pk__in=PEOPLE).count()
    return people == len(PEOPLE) and Guild.objects.filter(pk=GUILD, owner=OWNER).exists()


def sign(user_id: int, *, session: str | None = None) -> str:
    """A caller's token for one of the demo's people; ValueError for anybody else."""
    if user_id not in PEOPLE:
        raise ValueError("The demo signs only for its own people.")
    claims = {
        "sub": str(user_id),
        "exp": int(time.time()) + TOKEN_LIFE,
        **({"iss": settings.FLUXER_AUTH_ISSUER} if settings.FLUXER_AUTH_ISSUER else {}),
        **({"aud": settings.FLUXER_AUTH_AUDIENCE} if settings.FLUXER_AUTH_AUDIENCE else {}),
        **({"sid": session} if session else {}),
    }
    return jwt.encode(claims, settings.FLUXER_AUTH_JWT_KEY, algorithm="HS256")


def curl_line(user_id: int) -> str:
    """A request for a voice token that works when it is pasted into a shell."""
    return (
        f"curl -s http://127.0.0.1:{settings.PORT}/channels/{LOUNGE}/voice/token"
        f" -H 'Authorization: Bearer {sign(user_id)}'"
        " -H 'Content-Type: application/json'"
        f' -d \'{{"guild_id": "{GUILD}"}}\''
    )
