"""One participant as LiveKit shows it, what we make of it, and what its connection may do."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from fluxer.directory.standing import Standing
from voice import look
from voice.grants import Admission, Overrides, Rights, decide, may_enter
from voice.look import Look
from voice.models import Connection
from voice.rooms import Identity, RoomName


class Verdict(Enum):
    """What is to happen to a participant."""

    IN = "in"  # one of ours: hold its permission against `Judged.rights`
    OLD_NEWS = "old news"  # a visit that is over: nothing to do
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Judged:
    """A participant's verdict; the rights it shall have, if it is in."""

    verdict: Verdict
    rights: Rights | None = None


REMOVE, OLD_NEWS = Judged(Verdict.REMOVE), Judged(Verdict.OLD_NEWS)


@dataclass(frozen=True, slots=True)
class Visit:
    """One participant, as a webhook or a listing of `server_id` shows it."""

    server_id: int
    room: RoomName
    identity: Identity
    sid: str
    joined_at_ms: int
    room_sid: str = ""

    def look(self, *, session: str | None, now: datetime) -> Look | None:
        """The user, the channel and its room now."""
        return look.read(
            user_id=self.identity.user_id,
            channel_id=self.room.channel_id,
            session=session,
            region_id=None,
            now=now,
        )


RIGHTS = ("mute", "deaf", "suppress", "can_speak", "can_stream", "can_video")


def decided(kept: Connection) -> Rights:
    """The rights that were decided for a connection."""
    return Rights(**{name: getattr(kept, name) for name in RIGHTS})


def apply(state: Connection, rights: Rights) -> None:
    """Put decided rights, and what follows from them, on a connection that is to be saved."""
    for name in RIGHTS:
        setattr(state, name, getattr(rights, name))


def overrides_of(kept: Connection) -> Overrides:
    """What the back end said of this connection."""
    return Overrides(
        mute=kept.override_mute,
        deaf=kept.override_deaf,
        speak=kept.override_speak,
        stream=kept.override_stream,
        video=kept.override_video,
    )


def judge(standing: Standing | None, kept: Connection, *, now: datetime) -> Rights | None:
    """What the connection may do now; None when it may not be there at all."""
    admission = Admission(kept.admitted_speak, kept.admitted_stream) if kept.admitted else None
    if standing is None or not may_enter(standing, admission=admission, now=now):
        return None
    return decide(standing, overrides=overrides_of(kept), admission=admission)


def has_seat(found: Look, server_id: int) -> bool:
    """There is a place for one more of the user's connections, and the room is on this server or
    on none."""
    is_here = found.pin is None or found.pin.place.server_id == server_id
    others = [own for own in found.here if own.is_joined]
    return is_here and not found.is_full and len(others) < found.standing.voice_connection_limit


def rights_now(found: Look | None, kept: Connection, *, now: datetime) -> Rights | None:
    """The same, from a look."""
    return judge(found.standing if found else None, kept, now=now)
