"""Which region and server a new room gets: the contract's figures and rules, then any input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from regions.places import Caller, RegionView, Restriction, ServerView
from regions.selection import (
    choose_region,
    fnv1a_32,
    haversine,
    nearest,
    order_servers,
    placement_order,
    resolve_voice_region_preference,
    room_hash,
)

SAN_FRANCISCO = (37.7749, -122.4194)
OREGON, VIRGINIA, FRANKFURT = (45.5, -122.7), (39.0, -77.5), (50.1, 8.7)
BOB = Caller(2)


def place(id_: str, at: Any = None, *servers: ServerView, **fields: Any) -> RegionView:
    """A region with one good server, unless told otherwise."""
    machines = servers or (ServerView(id=len(id_), region_id=id_, slug=f"{id_}-1"),)
    return RegionView(id=id_, coordinates=at, servers=tuple(machines), **fields)


def machine(slug: str, **fields: Any) -> ServerView:
    return ServerView(id=sum(slug.encode()), region_id="r", slug=slug, **fields)


def dead(region: RegionView) -> RegionView:
    return replace(region, servers=tuple(replace(s, is_down=True) for s in region.servers))


def chosen(regions: Any, **wish: Any) -> str | None:
    found = choose_region(regions, user_id=2, guild_id=None, channel_id=1, **wish)
    return found.id if found else None


def order(regions: Any, **wish: Any) -> list[str]:
    found = placement_order(regions, user_id=2, guild_id=None, channel_id=1, **wish)
    return [server.slug for server in found]


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("guild:1:channel:1", 2951192865),
        ("guild:1:channel:2", 2900860008),
        ("dm:channel:1", 2789558262),
    ],
)
def test_the_hash_is_fnv1a_of_32_bits(text: str, figure: int) -> None:
    assert fnv1a_32(text) == figure


def test_a_room_is_hashed_by_guild_and_channel_and_a_call_has_no_guild() -> None:
    assert room_hash(guild_id=987, channel_id=111) == fnv1a_32("987:111")
    assert room_hash(guild_id=None, channel_id=111) == fnv1a_32("dm:111")
    assert room_hash(guild_id=0, channel_id=111) == fnv1a_32("0:111")


@pytest.mark.parametrize(
    ("here", "there", "kilometres"),
    [
        (SAN_FRANCISCO, OREGON, 859.307),
        (SAN_FRANCISCO, VIRGINIA, 3877.213),
        ((0.0, 179.9), (0.0, -179.9), 22.239),
        ((90.0, 0.0), (-90.0, 0.0), 20015.087),
        (FRANKFURT, FRANKFURT, 0.0),
    ],
)
def test_distances_are_great_circles(here: Any, there: Any, kilometres: float) -> None:
    assert haversine(here, there) == pytest.approx(kilometres, abs=0.0006)
    assert haversine(there, here) == pytest.approx(kilometres, abs=0.0006)


class TestPreference:
    """resolve_voice_region_preference, line by line."""

    west, east = place("us-west"), place("us-east", is_default=True)
    north = place("north", is_default=True)

    def ask(self, *, accessible: Any, available: Any, preferred: Any = None, default: Any = None):
        return resolve_voice_region_preference(
            preferred_region_id=preferred,
            accessible_regions=accessible,
            available_regions=available,
            default_region_id=default,
        )

    def test_a_wish_that_can_be_had_is_explicit(self) -> None:
        both = [self.west, self.east]
        answer = self.ask(preferred="us-west", accessible=both, available=both, default="us-east")
        assert answer == ("us-west", "explicit")

    def test_a_wish_that_cannot_leaves_the_choice_open(self) -> None:
        answer = self.ask(
            preferred="us-west",
            accessible=[self.east],
            available=[self.west, self.east],
            default="us-east",
        )
        assert answer == (None, "automatic")

    def test_without_a_wish_the_default_that_was_named_comes_first(self) -> None:
        both = [self.west, self.east]
        assert self.ask(accessible=both, available=both, default="us-west")[0] == "us-west"

    def test_then_the_first_accessible_one_with_the_flag(self) -> None:
        every = [self.west, self.east, self.north]
        assert self.ask(accessible=every, available=every, default="mars")[0] == "north"

    def test_then_the_first_flagged_one_of_all(self) -> None:
        answer = self.ask(accessible=[self.west], available=[self.west, self.east, self.north])
        assert answer == ("north", "automatic")

    def test_then_the_first_accessible_one_then_the_first_of_all_then_none(self) -> None:
        zulu, alpha = place("zulu"), place("alpha")
        assert self.ask(accessible=[zulu], available=[zulu, alpha])[0] == "zulu"
        assert self.ask(accessible=[], available=[zulu, alpha])[0] == "alpha"
        assert self.ask(accessible=[], available=[]) == (None, "automatic")


class TestRegion:
    west, east = place("us-west", OREGON), place("us-east", VIRGINIA, is_default=True)
    eu = place("eu-central", FRANKFURT)

    def test_an_explicit_wish_beats_distance(self) -> None:
        every = [self.west, self.east, self.eu]
        assert chosen(every, preferred_region_id="eu-central", near=SAN_FRANCISCO) == "eu-central"

    def test_with_coordinates_the_nearest_accessible_one(self) -> None:
        every = [self.east, self.west, self.eu]
        assert chosen(every, near=SAN_FRANCISCO) == "us-west"
        assert chosen([self.east, dead(self.west), self.eu], near=SAN_FRANCISCO) == "us-east"

    def test_a_wish_that_is_dead_falls_back_to_the_nearest(self) -> None:
        every = [self.east, self.west, dead(self.eu)]
        wish = {"preferred_region_id": "eu-central", "near": SAN_FRANCISCO}
        assert chosen(every, **wish) == "us-west"

    def test_without_coordinates_the_default(self) -> None:
        every = [self.eu, self.west, self.east]
        assert chosen(every) == "us-east"
        assert chosen(every, default_region_id="us-west") == "us-west"

    def test_without_any_default_whatever_works(self) -> None:
        assert chosen([self.west, dead(self.east), self.eu]) == "eu-central"
        assert chosen([dead(self.west), dead(self.east)]) is None
        assert chosen([]) is None

    def test_regions_without_coordinates_are_near_nobody_but_serve_when_they_are_all_there_is(
        self,
    ) -> None:
        nowhere = place("nowhere")
        assert chosen([nowhere, self.eu], near=SAN_FRANCISCO) == "eu-central"
        assert chosen([nowhere], near=SAN_FRANCISCO) == "nowhere"

    def test_equally_near_regions_share_the_rooms_by_their_hash(self) -> None:
        twins = [place("twin-b", OREGON), place("twin-a", OREGON), self.east]
        for room in range(20):
            found = nearest(twins, to=SAN_FRANCISCO, room=room)
            assert found is not None
            assert found.id == ("twin-a", "twin-b")[room % 2]

    def test_a_room_of_equally_near_regions_is_where_its_own_hash_says(self) -> None:
        twins = [place("twin-b", OREGON), place("twin-a", OREGON)]
        for channel in range(1, 20):
            found = choose_region(
                twins, user_id=2, guild_id=987, channel_id=channel, near=SAN_FRANCISCO
            )
            expected = ("twin-a", "twin-b")[fnv1a_32(f"987:{channel}") % 2]
            assert found is not None
            assert found.id == expected


class TestServers:
    def test_those_under_their_soft_limit_first_then_the_emptiest(self) -> None:
        servers = [
            machine("over", soft_connection_limit=5, load=5),
            machine("busy", load=9),
            machine("calm", load=3, soft_connection_limit=4),
        ]
        found = order_servers(servers, caller=BOB, room=0)
        assert [server.slug for server in found] == ["calm", "busy", "over"]

    def test_all_over_their_limit_are_all_taken_the_emptiest_first(self) -> None:
        servers = [machine(f"s{n}", load=n, soft_connection_limit=1) for n in (9, 5, 7)]
        assert [s.load for s in order_servers(servers, caller=BOB, room=0)] == [5, 7, 9]

    def test_an_unknown_load_counts_as_under(self) -> None:
        servers = [machine("over", soft_connection_limit=1, load=1), machine("unknown")]
        unknown = replace(servers[1], soft_connection_limit=1)
        found = order_servers([servers[0], unknown], caller=BOB, room=0)
        assert [server.slug for server in found] == ["unknown", "over"]

    def test_equal_ones_take_turns_by_the_rooms_hash(self) -> None:
        servers = [machine(slug, load=2) for slug in ("c", "a", "b")]
        firsts = [order_servers(servers, caller=BOB, room=room)[0].slug for room in range(6)]
        assert firsts == ["a", "b", "c", "a", "b", "c"]


class TestOrderOfAll:
    def test_the_next_region_is_the_nearest_to_the_one_that_was_wanted(self) -> None:
        regions = [
            place("a-frankfurt", FRANKFURT),
            place("b-virginia", VIRGINIA),
            place("c-nowhere"),
            place("d-oregon", OREGON),
            place("e-nowhere"),
        ]
        found = order(regions, preferred_region_id="d-oregon", near=FRANKFURT)
        assert found == [
            "d-oregon-1",
            "b-virginia-1",
            "a-frankfurt-1",
            "c-nowhere-1",
            "e-nowhere-1",
        ]

    def test_a_wish_that_is_dead_is_still_what_the_others_are_measured_from(self) -> None:
        regions = [
            place("a-sydney", (-33.9, 151.2)),
            place("b-frankfurt", FRANKFURT),
            place("c-virginia", VIRGINIA),
            dead(place("d-oregon", OREGON)),
        ]
        found = order(regions, preferred_region_id="d-oregon")
        assert found == ["a-sydney-1", "c-virginia-1", "b-frankfurt-1"]

    def test_without_coordinates_the_order_is_that_of_the_ids(self) -> None:
        regions = [place("c"), place("a"), place("b", OREGON), place("d", is_default=True)]
        assert order(regions) == ["d-1", "a-1", "b-1", "c-1"]


@pytest.mark.parametrize(
    ("restriction", "guild_id", "features", "admitted"),
    [
        (Restriction(), None, (), True),
        (Restriction(), 7, (), True),
        (Restriction(allowed_user_ids=(2,)), None, (), True),
        (Restriction(allowed_user_ids=(3,)), None, (), False),
        (Restriction(allowed_user_ids=(3,), allowed_guild_ids=(7,)), 7, (), False),
        (Restriction(allowed_user_ids=(2,), allowed_guild_ids=(7,)), None, (), False),
        (Restriction(allowed_user_ids=(2,), allowed_guild_ids=(7,)), 7, (), True),
        (Restriction(allowed_guild_ids=(7,)), None, (), False),
        (Restriction(allowed_guild_ids=(7,)), 7, (), True),
        (Restriction(allowed_guild_ids=(7,)), 8, ("VIP_VOICE",), False),
        (Restriction(vip_only=True), None, (), False),
        (Restriction(vip_only=True), 7, (), False),
        (Restriction(vip_only=True), 7, ("VIP_VOICE",), True),
        (Restriction(vip_only=True, allowed_guild_ids=(7,)), 7, (), True),
        (Restriction(vip_only=True, allowed_guild_ids=(7,)), 8, ("VIP_VOICE",), True),
        (Restriction(required_guild_features=("A", "B")), 7, ("B",), True),
        (Restriction(required_guild_features=("A", "B")), 7, ("C",), False),
        (Restriction(required_guild_features=("A",), allowed_guild_ids=(7,)), 7, (), True),
        (Restriction(vip_only=True, required_guild_features=("A",)), 7, ("A",), False),
        (Restriction(vip_only=True, required_guild_features=("A",)), 7, ("VIP_VOICE",), False),
        (Restriction(vip_only=True, required_guild_features=("A",)), 7, ("A", "VIP_VOICE"), True),
    ],
)
def test_restrictions_in_their_order(
    restriction: Restriction, guild_id: int | None, features: Any, admitted: bool
) -> None:
    assert restriction.admits(Caller(2, guild_id, features)) is admitted
