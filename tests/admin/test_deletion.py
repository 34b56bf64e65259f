"""A deletion says what else goes and who is put out of voice, and is refused to who may not."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client

from fluxer.directory.models import Channel, Guild, Member, Role, User
from regions.models import Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from voice.models import AuditEntry, VoiceState

ROWS: dict[str, Callable[[], Any]] = {
    "user": lambda: User.objects.get(pk=scene.BOB),
    "guild": lambda: Guild.objects.get(),
    "member": lambda: Member.objects.get(user=scene.BOB),
    "channel": lambda: Channel.objects.get(pk=scene.VOICE),
}


def page_of(row: Model) -> str:
    return f"{pages.address(type(row))}{row.pk}/delete/"


@pytest.fixture
def wally(db: None) -> Client:
    """Who may delete anything, and moderates nobody."""
    kinds = ("user", "guild", "member", "channel", "role")
    return signed_in("wally", "view", *(f"directory.delete_{kind}" for kind in kinds))


@pytest.fixture
def bob_is_in(west: FakeLiveKit) -> VoiceState:
    return scene.seat(scene.BOB, server=Server.objects.get(), is_joined=True)


@pytest.mark.parametrize("kind", ROWS)
def test_it_says_how_many_people_are_put_out(
    root: Client, bob_is_in: VoiceState, kind: str
) -> None:
    asked = pages.text(root.get(page_of(ROWS[kind]())))
    assert "1 person in voice: put out, at once" in asked
    VoiceState.objects.all().delete()
    assert "nobody is in voice there" in pages.text(root.get(page_of(ROWS[kind]())))


def test_it_says_what_else_goes(root: Client, stage: None) -> None:
    Member.objects.filter(user=scene.BOB).update(role_ids=[scene.MODERATORS])
    overwrites = [{"id": str(scene.MODERATORS), "type": 0, "allow": "0", "deny": "0"}]
    Channel.objects.filter(pk=scene.VOICE).update(overwrites=overwrites)
    for row, words in (
        (Guild.objects.get(), ("3 channels", "3 members", "2 roles")),
        (User.objects.get(pk=scene.BOB), ("1 membership", "their place in 2 calls")),
        (
            Role.objects.get(pk=scene.MODERATORS),
            (
                "what 2 members may by it",
                "its overwrites in 1 channel",
                "may not be in voice without",
            ),
        ),
    ):
        asked = pages.text(root.get(page_of(row)))
        for word in words:
            assert word in asked, (row, word)


@pytest.mark.parametrize("kind", ROWS)
def test_who_does_not_moderate_puts_nobody_out(
    wally: Client, bob_is_in: VoiceState, kind: str
) -> None:
    row = ROWS[kind]()
    told = pages.text(wally.post(page_of(row), {"post": "yes"}, follow=True))
    assert "takes the permission to moderate voice" in told
    assert type(row)._default_manager.filter(pk=row.pk).exists()
    assert VoiceState.objects.exists()
    VoiceState.objects.all().delete()
    told = pages.text(wally.post(page_of(row), {"post": "yes"}, follow=True))
    assert "was deleted successfully" in told
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("kind", ROWS)
def test_whom_it_puts_out_is_audited(root: Client, bob_is_in: VoiceState, kind: str) -> None:
    root.post(page_of(ROWS[kind]()), {"post": "yes"})
    assert not VoiceState.objects.exists()
    whole = kind in ("guild", "channel")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.guild_id, entry.channel_id) == (
        "staff root", scene.GUILD, scene.VOICE,
    )  # fmt: skip
    assert (entry.action, entry.target_id) == (
        ("disconnect_channel", None) if whole else ("disconnect", scene.BOB)
    )
    assert entry.reason
