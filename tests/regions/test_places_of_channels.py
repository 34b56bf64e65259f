"""Which regions the directory lets a channel be put into."""

from __future__ import annotations

from typing import Any

import pytest

from fluxer.directory import changes
from fluxer.directory.models import Guild
from tests.regions.scene import region
from tests.voice.scene import GUILD, people


@pytest.fixture(autouse=True)
def stage(db: None) -> None:
    people()
    Guild.objects.filter(pk=GUILD).update(features=["A"])


@pytest.mark.parametrize(
    ("restriction", "guild", "call"),
    [
        ({}, True, True),
        ({"allowed_user_ids": [1]}, False, False),
        ({"allowed_user_ids": [1], "allowed_guild_ids": [GUILD]}, False, False),
        ({"allowed_guild_ids": [GUILD]}, True, False),
        ({"allowed_guild_ids": [GUILD + 1]}, False, False),
        ({"vip_only": True}, False, False),
        ({"required_guild_features": ["A", "B"]}, True, False),
        ({"required_guild_features": ["B"]}, False, False),
    ],
)
def test_open_to_everybody_of_the_guild_or_not_at_all(
    restriction: dict[str, Any], guild: bool, call: bool
) -> None:
    region("us-west", **restriction)
    assert all(changes.region_allowed(region_id="us-west", guild_id=GUILD)) is guild
    assert all(changes.region_allowed(region_id="us-west", guild_id=None)) is call


def test_an_unknown_region_is_not_allowed() -> None:
    assert changes.region_allowed(region_id="mars", guild_id=GUILD) == [False]
