"""Names of rooms and participants: the parsers are exact inverses of the builders."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fluxer.directory.models import ChannelType
from fluxer.snowflakes import GREATEST
from voice import rooms
from voice.rooms import Identity, RoomName, parse_identity, parse_room_name

ids = st.integers(min_value=0, max_value=GREATEST)
letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
connection_ids = st.text(letters, min_size=1, max_size=27).map("conn_{}".format)
guild_rooms = st.builds(RoomName, ids, ids, st.just(ChannelType.GUILD_VOICE))
calls = st.builds(RoomName, ids, st.none(), st.sampled_from([ChannelType.DM, ChannelType.GROUP_DM]))
# Texts that look like names: pieces of real ones, put together at random.
pieces = st.sampled_from(
    ["guild_", "channel_", "dm_", "group_", "user_", "conn_", "_", "0", "00", "7", "1" * 20, "-1",
     "+1", " ", "\n", "a", "Z", "٣", "é", "\x00", str(GREATEST), str(GREATEST + 1)]
)  # fmt: skip
lookalikes = st.lists(pieces, max_size=8).map("".join)


@given(guild_rooms | calls)
def test_a_room_that_was_named_is_found(room: RoomName):
    assert parse_room_name(str(room)) == room


@given(ids, connection_ids)
def test_an_identity_that_was_made_is_found(user_id: int, connection_id: str):
    identity = Identity(user_id, connection_id)

    assert parse_identity(str(identity)) == identity


@given(st.text() | lookalikes)
@example("guild_1_channel_2\n")
@example("dm_007")
@example("dm_٣")
@example(f"group_{GREATEST + 1}")
@example("guild_1_channel_")
def test_what_parses_as_a_room_is_named_so(text: str):
    room = parse_room_name(text)

    assert room is None or str(room) == text


@given(st.text() | lookalikes)
@example("user_1_conn_a\n")
@example("user_01_conn_a")
@example("user_1_conn_é")
@example("user_1_conn_" + "a" * 28)
def test_what_parses_as_an_identity_is_written_so(text: str):
    identity = parse_identity(text)

    assert identity is None or str(identity) == text


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("guild_987654321_channel_111222333", RoomName(111222333, 987654321, 2)),
        ("dm_5", RoomName(5, None, 1)),
        ("group_5", RoomName(5, None, 3)),
    ],
)
def test_rooms_are_named_as_the_seed_has_it(name: str, room: RoomName):
    assert str(room) == name
    assert parse_room_name(name) == room


def test_an_identity_is_written_as_the_seed_has_it():
    assert str(Identity(123456789, "conn_abc123")) == "user_123456789_conn_abc123"


def test_connection_ids_are_random_and_short():
    made = {rooms.new_connection_id() for _ in range(2000)}

    assert len(made) == 2000
    assert all(re.fullmatch("conn_[0-9A-Za-z]{17,27}", one) for one in made)  # 62^17 > 2^96
    assert all(rooms.is_connection_id(one) and len(one) <= 32 for one in made)
    # Every place takes every letter.
    assert all({one[place] for one in made} == set(letters) for place in range(5, 27))
