"""Staff change the directory by the rules of the back end."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User as Staff
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fluxer.directory.models import Channel, Guild, Member, RightsChange, Role, User
from tests.directory.cast import (
    ALICE,
    BOB,
    CHARLIE,
    DM,
    GUILD,
    MODERATORS,
    MOIRA,
    VOICE,
    BackEnd,
)
from tests.directory.seats import seat, seated


@pytest.fixture
def staff(backend: BackEnd) -> Client:
    client = Client()
    client.force_login(Staff.objects.create_superuser("staff", password="x"))
    return client


def page(model: str, what: str = "") -> str:
    return f"/admin/directory/{model}/{what}"


def send(staff: Client, model: str, what: str, **form: Any) -> Any:
    """The answer to a form, and where it leads: a refusal is a message there."""
    return staff.post(page(model, f"{what}/"), form, follow=True)


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def channel_form(**fields: Any) -> dict[str, Any]:
    return {
        "recipient_ids": "",
        "name": "voice",
        "bitrate": "64000",
        "user_limit": "0",
        "voice_connection_limit": "5",
        "rtc_region": "",
        "overwrites": "[]",
        **fields,
    }


ROLES_OF_GUILD = {"roles-TOTAL_FORMS": "0", "roles-INITIAL_FORMS": "0"}


def test_a_user_is_made_changed_and_deleted(staff: Client) -> None:
    send(staff, "user", "add", id="9", username="nina", is_claimed="on")
    assert User.objects.get(pk=9).username == "nina"
    opened = {"initial-username": "nina", "initial-is_claimed": "True"}
    send(staff, "user", "9/change", username="nina", display_name="Nina", **opened)
    assert User.objects.values_list("display_name", "is_claimed").get(pk=9) == ("Nina", False)
    assert RightsChange.objects.get().subject_id == 9
    send(staff, "user", "9/delete", post="yes")
    assert not User.objects.filter(pk=9).exists()


def test_a_new_guild_has_everyone_and_its_owner(staff: Client) -> None:
    form = {"name": "second", "owner": str(BOB), **ROLES_OF_GUILD}
    send(staff, "guild", "add", id="20", **form)
    assert Role.objects.get(pk=20).guild_id == 20
    assert Member.objects.get(guild_id=20).user_id == BOB
    send(staff, "guild", "20/change", **{**form, "owner": str(MOIRA)})
    assert Guild.objects.get(pk=20).owner_id == MOIRA
    assert Member.objects.filter(guild_id=20, user_id=MOIRA).exists()


def test_what_the_verbs_refuse_is_a_message(staff: Client) -> None:
    assert "owns a guild" in said(send(staff, "user", f"{ALICE}/delete", post="yes"))
    assert "stays" in said(send(staff, "role", f"{GUILD}/delete", post="yes"))
    owner = Member.objects.get(user_id=ALICE)
    assert "stays a member" in said(send(staff, "member", f"{owner.pk}/delete", post="yes"))
    bob = Member.objects.get(user_id=BOB)
    answer = send(staff, "member", f"{bob.pk}/change", role_ids="999", nick="x")
    assert "no such role" in answer.content.decode()
    form = channel_form(rtc_region="mars")
    answer = send(staff, "channel", "add", id="200", type="2", guild=str(GUILD), **form)
    assert answer.context["adminform"].form.errors["rtc_region"]
    assert User.objects.filter(pk=ALICE).exists()
    assert Member.objects.get(pk=bob.pk).nick == ""
    assert not Channel.objects.filter(pk=200).exists()


def test_a_member_who_is_deleted_is_out(staff: Client) -> None:
    seat(BOB, VOICE)
    seat(BOB, DM)
    member = Member.objects.get(user_id=BOB)
    send(staff, "member", f"{member.pk}/delete", post="yes")
    assert seated() == {(BOB, DM)}


def test_a_guild_that_is_deleted_is_empty(staff: Client) -> None:
    seat(BOB, VOICE)
    assert staff.get(page("guild", f"{GUILD}/delete/")).status_code == 200
    send(staff, "guild", f"{GUILD}/delete", post="yes")
    assert not Guild.objects.exists()
    assert not seated()


def test_a_form_writes_only_what_was_changed_in_it(staff: Client) -> None:
    bob = Member.objects.get(user_id=BOB)
    Member.objects.filter(pk=bob.pk).update(role_ids=[MODERATORS])
    send(staff, "member", f"{bob.pk}/change", role_ids=str(MODERATORS), nick="bobby")
    assert not RightsChange.objects.exists()
    bob.refresh_from_db()
    assert (bob.nick, bob.role_ids) == ("bobby", [MODERATORS])


def test_overwrites_are_checked_as_in_the_api(staff: Client) -> None:
    good = [{"id": str(BOB), "type": 1, "allow": "0", "deny": str(1 << 53)}]
    for overwrites, expected in (
        (good, good),
        ([{**good[0], "type": 5}], good),
        ([{**good[0], "id": 2}], good),
        ({}, good),
        ([], []),
    ):
        form = channel_form(overwrites=json.dumps(overwrites))
        send(staff, "channel", f"{VOICE}/change", **form)
        assert Channel.objects.get(pk=VOICE).overwrites == expected


def test_a_channel_is_made(staff: Client) -> None:
    form = channel_form(recipient_ids=f"{BOB},{CHARLIE}", name="")
    send(staff, "channel", "add", id="200", type="1", **form)
    assert Channel.objects.get(pk=200).recipient_ids == [BOB, CHARLIE]


@pytest.mark.parametrize("model", ["user", "guild", "role", "member", "channel"])
def test_a_list_costs_the_same_however_long_it_is(staff: Client, model: str) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as statements:
            assert staff.get(page(model)).status_code == 200
        return len(statements)

    few = cost()
    backend = BackEnd()
    for n in range(5):
        backend.put(f"users/{500 + n}", username="x")
        backend.put(f"guilds/{600 + n}", name="x", owner_id=str(500 + n))
        backend.put(f"channels/{700 + n}", type=2, guild_id=str(600 + n))
    assert cost() <= few


@pytest.mark.parametrize("model", ["user", "guild", "role", "member", "channel"])
def test_ids_stay_and_nothing_goes_in_bulk(staff: Client, model: str) -> None:
    rows: dict[str, Any] = {
        "user": User,
        "guild": Guild,
        "role": Role,
        "member": Member,
        "channel": Channel,
    }
    first = rows[model].objects.order_by("pk").first()
    change = staff.get(page(model, f"{first.pk}/change/"))
    assert change.status_code == 200
    assert 'name="id"' not in change.content.decode()
    assert 'name="guild"' not in change.content.decode()
    assert "delete_selected" not in staff.get(page(model)).content.decode()
