"""Permissions into LiveKit's words: pure, and the same for tokens, updates and comparisons."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fluxer.directory.permissions import Permission
from fluxer.directory.standing import Standing

MICROPHONE, CAMERA = "microphone", "camera"
SCREEN_SHARE, SCREEN_SHARE_AUDIO = "screen_share", "screen_share_audio"
_EVERY_SOURCE = frozenset({MICROPHONE, CAMERA, SCREEN_SHARE, SCREEN_SHARE_AUDIO})


@dataclass(frozen=True, slots=True)
class Overrides:
    """The back end's word for one connection's life; None: what the permissions say."""

    mute: bool | None = None
    deaf: bool | None = None
    speak: bool | None = None
    stream: bool | None = None
    video: bool | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """What a moderator who moved somebody in gave them there, as far as the moderator had it."""

    speak: bool = False
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Rights:
    """What a connection may do in its room, as decided by us."""

    mute: bool
    deaf: bool
    suppress: bool
    can_speak: bool
    can_stream: bool
    can_video: bool

    @property
    def sources(self) -> list[str]:
        """The track sources that may be published, in LiveKit's words."""
        return [
            *([MICROPHONE] if self.can_speak else []),
            *([CAMERA] if self.can_video else []),
            *([SCREEN_SHARE] if self.can_stream else []),
            *([SCREEN_SHARE_AUDIO] if self.can_stream and not self.mute else []),
        ]


def decide(
    standing: Standing,
    *,
    overrides: Overrides = Overrides(),
    admission: Admission | None = None,
) -> Rights:
    """The rights of a connection ("Permission Calculation"). A server mute always wins."""
    may_speak = standing.may(Permission.SPEAK) or bool(admission and admission.speak)
    may_stream = standing.may(Permission.STREAM) or bool(admission and admission.stream)
    mute = bool(standing.mute) if standing.guild_id is not None else bool(overrides.mute)
    deaf = bool(standing.deaf) if standing.guild_id is not None else bool(overrides.deaf)
    return Rights(
        mute=mute,
        deaf=deaf,
        suppress=not may_speak,
        can_speak=_or(overrides.speak, may_speak) and not mute,
        can_stream=_or(overrides.stream, may_stream),
        can_video=_or(overrides.video, may_stream),
    )


def video_grant(rights: Rights, *, room: str) -> dict[str, Any]:
    """The `video` claim of a token. Never an admin grant.

    An empty list of sources would mean *all* to LiveKit, so nothing to publish is
    `canPublish: false`; being deafened is `canSubscribe: false`.
    """
    return {
        "room": room,
        "roomJoin": True,
        "canPublish": bool(rights.sources),
        "canSubscribe": not rights.deaf,
        "canPublishData": True,
        "canPublishSources": rights.sources,
    }


@dataclass(frozen=True, slots=True)
class Normal:
    """A LiveKit permission reduced to what can differ in effect."""

    can_subscribe: bool
    can_publish_data: bool
    sources: frozenset[str]
    extra: bool  # anything that we never grant


def wanted(rights: Rights) -> Normal:
    """What LiveKit should say of a participant with these rights."""
    return Normal(not rights.deaf, True, frozenset(rights.sources), False)


def shown(
    *,
    can_publish: bool,
    can_subscribe: bool,
    can_publish_data: bool,
    sources: Iterable[str],
    extra: bool,
) -> Normal:
    """What LiveKit does say: sources as a set, none listed meaning all, irrelevant when it may
    not publish."""
    listed = frozenset(sources)
    publishable = (listed or _EVERY_SOURCE) if can_publish else frozenset()
    return Normal(can_subscribe, can_publish_data, publishable, extra)


def may_enter(standing: Standing, *, admission: Admission | None, now: datetime) -> bool:
    """Whether somebody may be (or stay) in the channel: the checks of a join as one answer."""
    if standing.is_call:
        return standing.is_recipient and (standing.is_claimed or not standing.is_dm)
    if not standing.is_member or standing.is_timed_out(now) or not standing.has_voice:
        return False
    if admission is not None:
        return True
    claimed = standing.is_claimed or standing.is_owner
    return claimed and standing.may(Permission.VIEW_CHANNEL | Permission.CONNECT)


def _or(override: bool | None, otherwise: bool) -> bool:
    return otherwise if override is None else override
