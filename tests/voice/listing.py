"""Something that happens while a settle waits for LiveKit's answer."""

from collections.abc import Callable
from typing import Any

import pytest

from voice import settlement


def during_the_listing(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Have something happen once, after LiveKit has answered and before we know."""
    listed, done = settlement.livekit.list_participants, [False]

    def list_participants(*args: Any, **kwargs: Any) -> Any:
        shown = listed(*args, **kwargs)
        if not done[0]:
            done[0] = True
            act()
        return shown

    class Livekit:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    real, door = settlement.livekit, Livekit()
    door.list_participants = list_participants  # type: ignore[attr-defined]
    monkeypatch.setattr(settlement, "livekit", door)
