"""What holds of every choice, whatever the regions, their health and the wish."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from regions.places import Caller, RegionView, Restriction, ServerView
from regions.selection import choose_region, haversine, placement_order

_some = st.lists(st.integers(1, 3), max_size=2).map(tuple)
restrictions = st.builds(
    Restriction,
    vip_only=st.booleans(),
    required_guild_features=st.lists(st.sampled_from(["A", "B"]), max_size=1).map(tuple),
    allowed_guild_ids=_some,
    allowed_user_ids=_some,
)
rarely = st.sampled_from([False, False, False, True])
coordinates = st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180))
machines = st.builds(
    ServerView,
    id=st.integers(1, 10**6),
    region_id=st.just("r"),
    slug=st.sampled_from(["a", "b", "c", "d"]),
    is_active=st.sampled_from([True, True, False]),
    is_draining=rarely,
    is_down=rarely,
    is_failing=rarely,
    is_suspect=rarely,
    soft_connection_limit=st.none() | st.integers(1, 5),
    load=st.none() | st.integers(0, 9),
    restriction=st.just(Restriction()) | restrictions,
)
regions = st.lists(
    st.builds(
        RegionView,
        id=st.sampled_from([f"r{n}" for n in range(8)]),
        coordinates=coordinates,
        is_default=st.booleans(),
        restriction=st.just(Restriction()) | restrictions,
        servers=st.lists(machines, max_size=4, unique_by=lambda s: s.id).map(tuple),
    ),
    max_size=6,
    unique_by=lambda region: region.id,
)
wishes = st.fixed_dictionaries(
    {
        "user_id": st.integers(1, 3),
        "guild_id": st.none() | st.integers(1, 3),
        "guild_features": st.lists(st.sampled_from(["A", "B", "VIP_VOICE"]), max_size=2),
        "channel_id": st.integers(0, 2**63 - 1),
        "preferred_region_id": st.none() | st.sampled_from(["r0", "r1", "mars"]),
        "near": coordinates,
        "default_region_id": st.none() | st.sampled_from(["r2", "mars"]),
    }
)


def caller_of(wish: dict[str, Any]) -> Caller:
    return Caller(wish["user_id"], wish["guild_id"], wish["guild_features"])


@given(regions, wishes)
def test_every_server_that_takes_new_rooms_is_tried_once_and_no_other(
    found: list[RegionView], wish: dict[str, Any]
) -> None:
    caller = caller_of(wish)
    good = [
        server
        for region in found
        if region.is_open(caller)
        for server in region.servers
        if server.takes_new_rooms(caller)
    ]
    tried = placement_order(found, **wish)
    assert sorted(map(id, tried)) == sorted(map(id, good))
    for server in tried:
        assert server.works
        assert not any([server.is_draining, server.is_failing, server.is_suspect])


@given(regions, wishes)
def test_the_first_server_is_one_of_the_chosen_region_and_regions_are_not_mixed(
    found: list[RegionView], wish: dict[str, Any]
) -> None:
    home = {id(server): region.id for region in found for server in region.servers}
    walked = [home[id(server)] for server in placement_order(found, **wish)]
    choice = choose_region(found, **wish)
    assert walked[:1] == ([choice.id] if choice else [])
    assert len(list(itertools.groupby(walked))) == len(set(walked))


@given(regions, wishes)
def test_a_wish_that_is_accessible_wins(found: list[RegionView], wish: dict[str, Any]) -> None:
    choice = choose_region(found, **wish)
    wanted = next((r for r in found if r.id == wish["preferred_region_id"]), None)
    if wanted is not None and wanted.is_accessible(caller_of(wish)):
        assert choice is wanted
    elif choice is not None:
        assert choice.is_accessible(caller_of(wish))


@given(regions, wishes, st.randoms())
def test_the_order_in_which_regions_are_listed_changes_nothing(
    found: list[RegionView], wish: dict[str, Any], chance: Any
) -> None:
    mixed = list(found)
    chance.shuffle(mixed)
    assert placement_order(mixed, **wish) == placement_order(found, **wish)


@given(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), coordinates.filter(bool))
def test_no_two_places_are_further_apart_than_half_the_globe(here: Any, there: Any) -> None:
    assert 0 <= haversine(here, there) <= 6371 * 3.1415927


@given(restrictions, st.integers(1, 3), st.integers(1, 3))
def test_whoever_is_not_on_a_list_of_users_stays_out_whatever_their_guild(
    restriction: Restriction, user_id: int, guild_id: int
) -> None:
    listed = replace(restriction, allowed_user_ids=(user_id + 1,))
    assert not listed.admits(Caller(user_id, guild_id, ("A", "B", "VIP_VOICE")))
