"""The checks of a token request, in the order of the contract: the first that fails answers."""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from fluxer.directory.models import Channel, Member, Role, User
from fluxer.directory.permissions import Permission
from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.voice.scene import (
    ALICE,
    BOB,
    CHARLIE,
    DM,
    GROUP,
    GUILD,
    MOIRA,
    OTHER_VOICE,
    VOICE,
    bearer,
    seat,
    written,
)


class Request:
    """Bob asks for a token in the guild's voice channel; a fault spoils one thing of it."""

    def __init__(self) -> None:
        self.path = f"/channels/{VOICE}/voice/token"
        self.body: dict[str, Any] = {"guild_id": str(GUILD)}
        self.headers = {"Authorization": bearer(BOB)}

    def send(self) -> Any:
        client = Client(raise_request_exception=False)
        return client.post(
            self.path, self.body, content_type="application/json", headers=self.headers
        )


def no_token(request: Request) -> None:
    request.headers = {}


def unknown_user(request: Request) -> None:
    # Not a second fault to a request without a token.
    if request.headers:
        request.headers = {"Authorization": bearer(999)}


def malformed_body(request: Request) -> None:
    request.body["region"] = 5


def unknown_channel(request: Request) -> None:
    request.path = "/channels/999/voice/token"


def no_member(request: Request) -> None:
    Member.objects.filter(user_id=BOB).delete()


def wrong_type(request: Request) -> None:
    Channel.objects.filter(pk=VOICE).update(type=0)


def other_channel(request: Request) -> None:
    request.body["channel_id"] = str(OTHER_VOICE)


def other_guild(request: Request) -> None:
    request.body["guild_id"] = "11"


def unclaimed(request: Request) -> None:
    User.objects.filter(pk=BOB).update(is_claimed=False)


def timed_out(request: Request) -> None:
    until = timezone.now() + timedelta(minutes=1)
    Member.objects.filter(user_id=BOB).update(timed_out_until=until)


def forbidden(request: Request) -> None:
    Role.objects.filter(pk=GUILD).update(permissions=Permission.VIEW_CHANNEL)


def unknown_region(request: Request) -> None:
    request.body.setdefault("region", "atlantis")


def not_found(request: Request) -> None:
    request.body["connection_id"] = "conn_ofNobody"


def full(request: Request) -> None:
    Channel.objects.filter(pk=VOICE).update(user_limit=1)
    seat(ALICE)


def too_many_devices(request: Request) -> None:
    Channel.objects.filter(pk=VOICE).update(voice_connection_limit=1)
    seat(BOB, server=Server.objects.get(), is_joined=True)


def no_server(request: Request) -> None:
    Server.objects.update(is_draining=True)


# In the order of the contract: what spoils the request, the code, and the path that is named.
FAULTS: list[tuple[Callable[[Request], None], str, str | None]] = [
    (no_token, "UNAUTHORIZED", None),
    (unknown_user, "UNKNOWN_USER", None),
    (malformed_body, "INVALID_FORM_BODY", "region"),
    (unknown_channel, "UNKNOWN_CHANNEL", None),
    (no_member, "UNKNOWN_MEMBER", None),
    (wrong_type, "INVALID_CHANNEL_TYPE", None),
    (other_channel, "INVALID_FORM_BODY", "channel_id"),
    (other_guild, "INVALID_FORM_BODY", "guild_id"),
    (unclaimed, "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS", None),
    (timed_out, "VOICE_MEMBER_TIMED_OUT", None),
    (forbidden, "MISSING_PERMISSIONS", None),
    (unknown_region, "UNKNOWN_VOICE_REGION", None),
    (not_found, "VOICE_CONNECTION_NOT_FOUND", None),
    (full, "VOICE_CHANNEL_FULL", None),
    (too_many_devices, "VOICE_CONNECTION_LIMIT_REACHED", None),
    (no_server, "FEATURE_TEMPORARILY_DISABLED", None),
]
# Whoever is inside is never turned away because it is full.
IMPOSSIBLE = {(full, too_many_devices)}
PAIRS = [
    pytest.param(first, second, id=f"{first[0].__name__}-{second[0].__name__}")
    for first, second in combinations(FAULTS, 2)
    if (first[0], second[0]) not in IMPOSSIBLE
]


def refused(request: Request, west: FakeLiveKit, code: str, path: str | None) -> None:
    """It is refused with this, nothing is written, and no server was asked."""
    before = written()

    answer = request.send()

    assert answer.json()["code"] == code
    if path is not None:
        assert [error["path"] for error in answer.json()["errors"]] == [path]
    assert written() == before
    assert west.calls == []


@pytest.mark.parametrize(
    ("spoil", "code", "path"), [pytest.param(*f, id=f[0].__name__) for f in FAULTS]
)
def test_each_check_refuses(
    west: FakeLiveKit, spoil: Callable[[Request], None], code: str, path: str | None
):
    request = Request()
    spoil(request)

    refused(request, west, code, path)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_of_two_faults_the_earlier_answers(west: FakeLiveKit, first: Any, second: Any):
    request = Request()
    first[0](request)
    second[0](request)

    refused(request, west, *first[1:])


def test_without_a_fault_there_is_a_token(west: FakeLiveKit):
    assert Request().send().status_code == 200


CALLS = [
    ("a stranger to a DM", CHARLIE, DM, {}, "UNKNOWN_CHANNEL"),
    ("a stranger to a group", CHARLIE, GROUP, {"guild_id": str(GUILD)}, "UNKNOWN_CHANNEL"),
    ("a guild in a DM", ALICE, DM, {"guild_id": str(GUILD)}, "INVALID_FORM_BODY"),
    ("a guild in a group", MOIRA, GROUP, {"guild_id": str(GUILD)}, "INVALID_FORM_BODY"),
    ("unclaimed in a DM", BOB, DM, {}, "UNCLAIMED_ACCOUNT_CANNOT_JOIN_ONE_ON_ONE_VOICE_CALLS"),
    ("unclaimed in a group", BOB, GROUP, {}, None),
    ("a guild that is null", ALICE, DM, {"guild_id": None}, None),
]


@pytest.mark.parametrize(
    ("user", "channel", "body", "code"), [pytest.param(*c[1:], id=c[0]) for c in CALLS]
)
def test_calls_have_their_own_doors(
    west: FakeLiveKit, user: int, channel: int, body: dict[str, Any], code: str | None
):
    User.objects.filter(pk=BOB).update(is_claimed=False)
    request = Request()
    request.path, request.body = f"/channels/{channel}/voice/token", body
    request.headers = {"Authorization": bearer(user)}
    before = written()

    answer = request.send()

    assert answer.json().get("code") == code
    assert (written() == before) == (code is not None)


def test_a_guild_channel_needs_its_guild(west: FakeLiveKit):
    request = Request()
    request.body = {}

    refused(request, west, "INVALID_FORM_BODY", "guild_id")


def test_an_unclaimed_owner_may_join_their_own_guild(west: FakeLiveKit):
    User.objects.filter(pk=ALICE).update(is_claimed=False)
    request = Request()
    request.headers = {"Authorization": bearer(ALICE)}

    assert request.send().status_code == 200


def test_the_owner_is_timed_out_like_anybody(west: FakeLiveKit):
    until = timezone.now() + timedelta(minutes=1)
    Member.objects.filter(user_id=ALICE).update(timed_out_until=until)
    request = Request()
    request.headers = {"Authorization": bearer(ALICE)}

    refused(request, west, "VOICE_MEMBER_TIMED_OUT", None)


def test_a_timeout_that_is_over_is_none(west: FakeLiveKit):
    until = timezone.now() - timedelta(seconds=1)
    Member.objects.filter(user_id=BOB).update(timed_out_until=until)

    assert Request().send().status_code == 200


@pytest.mark.parametrize(
    ("held", "named"),
    [
        (Permission.CONNECT, "VIEW_CHANNEL"),
        (Permission.VIEW_CHANNEL, "CONNECT"),
        (Permission.SPEAK, "VIEW_CHANNEL and CONNECT"),
    ],
)
def test_the_missing_permission_is_named(west: FakeLiveKit, held: Permission, named: str):
    Role.objects.filter(pk=GUILD).update(permissions=held)

    answer = Request().send()

    assert answer.status_code == 403
    assert f"lack {named} " in answer.json()["message"]
