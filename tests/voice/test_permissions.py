"""Permission arithmetic, against a model that goes bit by bit; and the standing in the table."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxer.directory import standing
from fluxer.directory.models import Channel, Guild, Member, Role
from fluxer.directory.permissions import (
    ALL,
    MEMBER,
    NONE,
    ROLE,
    Permission,
    base_permissions,
    channel_permissions,
    names,
)
from tests.voice.scene import ALICE, BOB, CHARLIE, GUILD, MODERATORS, MOIRA, VOICE

GUILD_ID, ME, OTHER = 10, 2, 3
ROLES = (11, 12, 13)
ADMINISTRATOR = int(Permission.ADMINISTRATOR)
# Few bits, so that they meet: those that mean something, and the outermost.
BITS = (3, 9, 10, 20, 21, 53, 62)
masks = st.sets(st.sampled_from(BITS)).map(lambda bits: sum(1 << bit for bit in bits))
overwrites = st.lists(
    st.builds(
        lambda subject, allow, deny: {
            "id": str(subject[0]),
            "type": subject[1],
            "allow": str(allow),
            "deny": str(deny),
        },
        st.sampled_from(
            [(GUILD_ID, ROLE), *((role, ROLE) for role in ROLES), (99, ROLE), (ME, MEMBER),
             (OTHER, MEMBER), (ME, ROLE), (GUILD_ID, MEMBER)]
        ),
        masks,
        masks,
    ),
    unique_by=lambda one: (one["id"], one["type"]),
    max_size=8,
)  # fmt: skip


def model(
    bit: int,
    *,
    is_owner: bool,
    is_member: bool,
    everyone: int,
    roles: dict[int, int],
    over: list[dict[str, Any]],
) -> bool:
    """Whether one bit is held: the contract, read aloud."""
    if not is_member:
        return False
    if is_owner:
        return True

    def has(mask: int, which: int) -> bool:
        return bool(mask >> which & 1)

    granted = [everyone, *roles.values()]
    if any(has(mask, 3) for mask in granted):
        return True
    held = any(has(mask, bit) for mask in granted)

    def said(subjects: set[int], kind: int, word: str) -> bool:
        return any(
            has(int(one[word]), bit)
            for one in over
            if one["type"] == kind and int(one["id"]) in subjects
        )

    steps = (({GUILD_ID}, ROLE), (set(roles) - {GUILD_ID}, ROLE), ({ME}, MEMBER))
    for subjects, kind in steps:
        if said(subjects, kind, "deny"):
            held = False
        if said(subjects, kind, "allow"):
            held = True
    return held


def arithmetic(
    *,
    is_owner: bool,
    is_member: bool,
    everyone: int,
    roles: dict[int, int],
    over: list[dict[str, Any]],
) -> int:
    base = base_permissions(
        is_owner=is_owner, is_member=is_member, role_masks=[everyone, *roles.values()]
    )
    if not is_member:
        return base
    return channel_permissions(
        base=base, guild_id=GUILD_ID, user_id=ME, role_ids=list(roles), overwrites=over
    )


@given(
    st.booleans(),
    st.booleans(),
    masks,
    st.dictionaries(st.sampled_from(ROLES), masks),
    overwrites,
)
def test_the_arithmetic_agrees_with_the_model(
    is_owner: bool, is_member: bool, everyone: int, roles: dict[int, int], over: list[Any]
):
    case: dict[str, Any] = {
        "is_owner": is_owner,
        "is_member": is_member,
        "everyone": everyone,
        "roles": roles,
        "over": over,
    }

    held = arithmetic(**case)

    assert {bit: bool(held >> bit & 1) for bit in BITS} == {bit: model(bit, **case) for bit in BITS}


@given(overwrites)
def test_an_overwrite_cannot_touch_an_administrator(over: list[Any]):
    base = base_permissions(is_owner=False, is_member=True, role_masks=[ADMINISTRATOR])

    held = channel_permissions(
        base=base, guild_id=GUILD_ID, user_id=ME, role_ids=[], overwrites=over
    )
    assert held == ALL


@given(overwrites, st.permutations(range(8)))
def test_the_order_of_overwrites_does_not_matter(over: list[Any], order: list[int]):
    shuffled = [over[n] for n in order if n < len(over)]
    values: dict[str, Any] = {"base": 0, "guild_id": GUILD_ID, "user_id": ME, "role_ids": ROLES}

    assert channel_permissions(overwrites=over, **values) == channel_permissions(
        overwrites=shuffled, **values
    )


# In the table, and with names


def overwrite(subject: int, kind: int, *, allow: int = 0, deny: int = 0) -> dict[str, Any]:
    return {"id": str(subject), "type": kind, "allow": str(int(allow)), "deny": str(int(deny))}


def may_connect(user_id: int, *over: dict[str, Any], base: int = Permission.CONNECT) -> bool:
    Role.objects.filter(pk=GUILD).update(permissions=base)
    Role.objects.filter(pk=MODERATORS).update(permissions=0)
    Channel.objects.filter(pk=VOICE).update(overwrites=list(over))
    found = standing.read(user_id=user_id, channel_id=VOICE)
    assert found is not None
    return found.may(Permission.CONNECT)


DENY, ALLOW = {"deny": Permission.CONNECT}, {"allow": Permission.CONNECT}


def test_the_owner_may_do_everything(stage: None):
    assert may_connect(ALICE, overwrite(GUILD, ROLE, **DENY), overwrite(ALICE, MEMBER, **DENY))


def test_an_administrator_too(stage: None):
    assert may_connect(BOB, overwrite(BOB, MEMBER, **DENY), base=Permission.ADMINISTRATOR)


def test_an_allowed_administrator_bit_is_no_administrator(stage: None):
    """Overwrites are of the channel: what they allow skips none of them."""
    allow = overwrite(GUILD, ROLE, allow=Permission.ADMINISTRATOR)

    assert not may_connect(BOB, allow, overwrite(BOB, MEMBER, **DENY))


def test_a_stranger_may_do_nothing(stage: None):
    assert not may_connect(CHARLIE, overwrite(CHARLIE, MEMBER, **ALLOW))


def test_deny_comes_before_allow_in_one_step(stage: None):
    assert may_connect(BOB, overwrite(GUILD, ROLE, **DENY, **ALLOW), base=0)


def test_one_role_that_allows_outweighs_one_that_denies(stage: None):
    Role.objects.create(pk=12, guild_id=GUILD, name="quiet")
    Member.objects.filter(user_id=MOIRA).update(role_ids=[MODERATORS, 12])

    assert may_connect(MOIRA, overwrite(MODERATORS, ROLE, **DENY), overwrite(12, ROLE, **ALLOW))


def test_roles_outweigh_everyone_and_the_member_outweighs_roles(stage: None):
    everyone = overwrite(GUILD, ROLE, **DENY)
    role = overwrite(MODERATORS, ROLE, **ALLOW)
    member = overwrite(MOIRA, MEMBER, **DENY)

    assert not may_connect(MOIRA, everyone)
    assert may_connect(MOIRA, everyone, role)
    assert not may_connect(MOIRA, everyone, role, member)


def test_a_member_whose_roles_give_nothing_may_be_allowed_in(stage: None):
    """A base of nought is a member's too, not only a stranger's."""
    assert not may_connect(BOB, base=0)
    assert may_connect(BOB, overwrite(BOB, MEMBER, **ALLOW), base=0)
    assert may_connect(BOB, overwrite(GUILD, ROLE, **ALLOW), base=0)


def test_an_overwrite_for_a_role_that_is_not_held_does_nothing(stage: None):
    assert not may_connect(BOB, overwrite(MODERATORS, ROLE, **ALLOW), base=0)


def test_an_overwrite_for_a_member_with_the_guilds_id_is_not_everyones(stage: None):
    assert not may_connect(BOB, overwrite(GUILD, MEMBER, **ALLOW), base=0)


def test_a_role_of_another_guild_gives_nothing(stage: None):
    Guild.objects.create(pk=20, name="other", owner_id=CHARLIE)
    Role.objects.create(pk=21, guild_id=20, name="their mods", permissions=ALL)
    Member.objects.filter(user_id=BOB).update(role_ids=[21])

    assert not may_connect(BOB, base=0)


def test_bits_beyond_javascripts_numbers_are_kept(stage: None):
    Channel.objects.filter(pk=VOICE).update(
        overwrites=[overwrite(BOB, MEMBER, allow=Permission.UPDATE_RTC_REGION)]
    )
    found = standing.read(user_id=BOB, channel_id=VOICE)

    assert found is not None
    assert found.may(Permission.UPDATE_RTC_REGION)
    assert json.loads(found.overwrites)[0]["allow"] == str(1 << 53)


@pytest.mark.parametrize(
    ("bit", "name"),
    [
        (3, "ADMINISTRATOR"), (4, "MANAGE_CHANNELS"), (9, "STREAM"), (10, "VIEW_CHANNEL"),
        (20, "CONNECT"), (21, "SPEAK"), (22, "MUTE_MEMBERS"), (23, "DEAFEN_MEMBERS"),
        (24, "MOVE_MEMBERS"), (53, "UPDATE_RTC_REGION"),
    ],
)  # fmt: skip
def test_the_bits_are_those_of_the_contract(bit: int, name: str):
    assert Permission(1 << bit).name == name
    assert names(Permission(1 << bit)) == name
    assert NONE == 0
