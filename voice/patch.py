"""What a PATCH of one's own voice state asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voice.access import Wish
from voice.models import VoiceState

KEEP: Any = object()  # the body does not name channel_id


@dataclass(frozen=True, slots=True)
class Change:
    """The change, in one guild or in one call."""

    user_id: int
    session: str | None
    guild_id: int | None = None
    call_id: int | None = None
    channel_id: Any = KEEP  # an id, None to leave, KEEP
    connection_id: str | None = None
    flags: Mapping[str, bool] = field(default_factory=dict)

    @property
    def target(self) -> int | None:
        """The channel to be in, if the body names one."""
        return None if self.channel_id is KEEP else self.channel_id

    @property
    def is_leave(self) -> bool:
        """The body says `channel_id: null`."""
        return self.channel_id is None

    def concerns(self, state: VoiceState) -> bool:
        """The connection is in this guild, or in this call."""
        if self.call_id is not None:
            return state.channel_id == self.call_id
        return state.channel.guild_id == self.guild_id

    def wish(self, session: str | None) -> Wish:
        """The same as a join of the target, by this session."""
        assert self.target is not None  # noqa: S101 only asked with a target
        return Wish(
            user_id=self.user_id,
            channel_id=self.target,
            guild_id=self.guild_id,
            session=session,
            claims=False,
        )
