"""Staff change the directory through the back end's verbs, and in their own name."""

from typing import Any

import pytest
from django.test import Client

from fluxer.directory.admin import RIGHTS
from fluxer.directory.models import Channel, Guild, Member, User
from regions.models import Server
from tests.admin import pages
from tests.admin.conftest import signed_in
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from voice.models import AuditEntry, DueRoom, VoiceState


def change(client: Client, row: Any, **fields: Any) -> Any:
    return client.post(f"{pages.address(type(row))}{row.pk}/change/", fields, follow=True)


def channel_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "lounge",
        "bitrate": "64000",
        "user_limit": "0",
        "voice_connection_limit": "5",
        "recipient_ids": "",
        "rtc_region": "",
        "overwrites": "[]",
        **fields,
    }


def test_a_form_changes_no_region_and_says_what_does(
    root: Client, west: FakeLiveKit, east: FakeLiveKit
) -> None:
    scene.seat(scene.ALICE, server=Server.objects.get(region="us-west"), is_joined=True)
    channel = Channel.objects.get(pk=scene.VOICE)
    page = f"{pages.address(Channel)}{channel.pk}/change/"
    assert "“Change region” in the list of channels or rooms" in pages.text(root.get(page))
    change(root, channel, **channel_form(rtc_region="us-east"))
    channel.refresh_from_db()
    assert (channel.rtc_region, channel.name) == (None, "lounge")
    assert VoiceState.objects.exists()


def test_whatever_gives_rights_says_that_it_puts_people_out(root: Client, stage: None) -> None:
    member = Member.objects.get(user=scene.BOB)
    for page in (
        f"user/{scene.BOB}", f"guild/{scene.GUILD}", f"role/{scene.GUILD}",
        f"member/{member.pk}", f"channel/{scene.VOICE}",
    ):  # fmt: skip
        assert RIGHTS in pages.text(root.get(f"/admin/directory/{page}/change/")), page


def test_who_is_taken_off_a_call_is_put_out_by_who_may_moderate(
    root: Client, west: FakeLiveKit
) -> None:
    walter = signed_in("walter", "view", "directory.change_channel")
    scene.seat(scene.BOB, scene.GROUP, server=Server.objects.get(), is_joined=True)
    group = Channel.objects.get(pk=scene.GROUP)
    page = f"{pages.address(Channel)}{group.pk}/change/"
    left = str(scene.ALICE)
    answer = pages.send(walter, page, pages.opened(walter, page), recipient_ids=left)
    assert "takes the permission to moderate" in str(
        answer.context["adminform"].form.errors["recipient_ids"]
    )
    assert VoiceState.objects.exists()
    pages.send(root, page, pages.opened(root, page), recipient_ids=left)
    assert not VoiceState.objects.exists()
    assert AuditEntry.objects.get().target_id == scene.BOB


def test_what_the_verb_refuses_is_said_at_its_field_and_nothing_is_lost(
    root: Client, west: FakeLiveKit
) -> None:
    channel = Channel.objects.get(pk=scene.VOICE)
    answer = change(root, channel, **channel_form(name="typed", recipient_ids=str(scene.BOB)))
    errors = answer.context["adminform"].form.errors
    assert errors == {"recipient_ids": ["A channel of a guild has members, not recipients"]}
    assert 'value="typed"' in answer.content.decode()
    channel.refresh_from_db()
    assert channel.name == "channel100"


def test_a_mute_is_followed_and_audited(root: Client, west: FakeLiveKit) -> None:
    scene.seat(scene.BOB, server=Server.objects.get(), is_joined=True)
    member = Member.objects.get(user=scene.BOB)
    change(root, member, role_ids="", nick="", mute="on")
    member.refresh_from_db()
    assert member.mute
    assert AuditEntry.objects.get().actor == "staff root"


@pytest.mark.parametrize(
    "words",
    [
        {"mute": "on"},
        {"deaf": "on"},
        {"timed_out_until_0": "2099-01-01", "timed_out_until_1": "00:00"},
    ],
)
def test_who_does_not_moderate_silences_nobody_who_is_in(
    west: FakeLiveKit, words: dict[str, str]
) -> None:
    walter = signed_in("walter", "view", "directory.change_member")
    scene.seat(scene.BOB, server=Server.objects.get(), is_joined=True)
    member = Member.objects.get(user=scene.BOB)
    page = f"{pages.address(Member)}{member.pk}/change/"
    answer = pages.send(walter, page, pages.opened(walter, page), **words)
    assert "takes the permission to moderate voice" in pages.text(answer)
    pages.send(walter, page, pages.opened(walter, page), nick="bobby")
    member.refresh_from_db()
    assert (member.nick, member.mute, member.deaf, member.timed_out_until) == (
        "bobby", False, False, None,
    )  # fmt: skip


def test_a_new_guild_has_everyone_and_its_owner(root: Client, stage: None) -> None:
    form = {"id": "77", "name": "new", "owner": str(scene.BOB), "features": ""}
    root.post("/admin/directory/guild/add/", form)
    guild = Guild.objects.get(pk=77)
    assert guild.roles.get().pk == 77
    assert guild.members.get().user_id == scene.BOB


def test_deleting_what_is_in_use_is_refused_in_words(root: Client, west: FakeLiveKit) -> None:
    server = Server.objects.get()
    scene.seat(scene.ALICE, server=server, is_joined=True)
    for row, words in (
        (User.objects.get(pk=scene.ALICE), "This user owns a guild; give it to another first"),
        (Member.objects.get(user=scene.ALICE), "The owner stays a member"),
        (server, "pinned rooms, connections or removals to finish; drain it first"),
        (server.region, "This region has servers; delete them first"),
    ):
        page = f"{pages.address(type(row))}{row.pk}/delete/"
        told = pages.text(root.post(page, {"post": "yes"}, follow=True))
        assert words in told
        assert type(row)._default_manager.filter(pk=row.pk).exists()


def test_deleting_a_channel_puts_everybody_out(root: Client, west: FakeLiveKit) -> None:
    scene.seat(scene.ALICE, server=Server.objects.get(), is_joined=True)
    root.post(f"/admin/directory/channel/{scene.VOICE}/delete/", {"post": "yes"})
    assert not Channel.objects.filter(pk=scene.VOICE).exists()
    assert DueRoom.objects.exists()
