"""With other FIELD_KEYS no secret can be opened: only what needs one fails, and says what to do."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from fluxer.secrets import UNREADABLE
from regions import trial
from regions.models import Server
from tests.admin import pages
from tests.livekit.fake import FakeLiveKit
from tests.voice.scene import ALICE, BOB, OTHER_VOICE, Caller
from voice import sweep
from voice.models import DueRoom, VoiceState
from voice.settlement import settle_room

TO_DO = "put the key it was written with back, or enter the secret again"


@pytest.fixture
def lost(west: FakeLiveKit, settings: Settings) -> Server:
    """us-west/us-west-1, with a room that alice is in, after its key was lost."""
    west.join(Caller(ALICE).token()["token"])
    lose(settings)
    return Server.objects.get(region="us-west")


def lose(settings: Settings) -> None:
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]


def edit(client: Client, server: Server, fake: FakeLiveKit, **fields: Any) -> Any:
    form = {"endpoint": fake.url, "api_key": fake.key, "api_secret": "", "is_active": "on"}
    form["api_url"] = server.api_url
    page = f"{pages.address(Server)}{server.pk}/change/"
    return client.post(page, {**form, **fields}, follow=True)


def test_every_page_and_filter_opens(root: Client, vera: Client, lost: Server) -> None:
    due(lost)
    filters = ["regions/server/?health=up&region__id__exact=us-west"]
    for path in ("roompin", "voicestate", "dueroom"):
        filters += [f"voice/{path}/?server__id__exact={lost.pk}&server__region__id__exact=us-west"]
    for client in (root, vera):
        for page in (*pages.every(client), *(f"/admin/{page}" for page in filters)):
            assert client.get(page).status_code < 500, page


def due(server: Server) -> None:
    DueRoom.objects.update_or_create(
        server=server, room="guild_10_channel_100", defaults={"due_at": timezone.now()}
    )


def test_a_server_can_be_drained_restored_and_changed(root: Client, lost: Server) -> None:
    for verb, is_draining in (("drain", True), ("restore", False), ("move_off", True)):
        pages.do(root, Server, verb, lost)
        lost = Server.objects.get(pk=lost.pk)
        assert lost.is_draining == is_draining, verb
    assert "answers, after" in pages.do(root, Server, "probe_now", lost)


def test_it_is_saved_without_its_secret_which_stays_as_it_was(
    root: Client, lost: Server, west: FakeLiveKit
) -> None:
    before = stored()
    edit(root, lost, west, soft_connection_limit="7")
    assert Server.objects.get().soft_connection_limit == 7
    assert stored() == before


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_secret FROM regions_server")
        return str(cursor.fetchone()[0])


def test_the_secret_entered_again_repairs_it(root: Client, lost: Server, west: FakeLiveKit) -> None:
    told = pages.text(edit(root, lost, west, api_secret=west.secret))
    assert "It accepts the API key" in told
    server = Server.objects.get()
    assert (server.api_secret, server.failing_since) == (west.secret, None)
    assert Caller(ALICE).token()["token"]


def test_a_trial_says_what_to_do(root: Client, lost: Server, west: FakeLiveKit) -> None:
    old = stored()
    edit(root, lost, west, api_secret=west.secret, api_url=west.api_url)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE regions_server SET api_secret = %s", [old])
    findings = trial.run(Server.objects.get())
    assert [one.sentence for one in findings if not one.ok] == [f"{UNREADABLE}."]


def test_the_token_route_answers_503(lost: Server, caplog: pytest.LogCaptureFixture) -> None:
    seats = VoiceState.objects.count()
    for user in (ALICE, BOB):
        answer = Caller(user).ask()
        assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert VoiceState.objects.count() == seats
    assert TO_DO in caplog.text


def test_a_room_that_is_nowhere_yet_is_made_where_the_secret_can_be_opened(
    lost: Server, east: FakeLiveKit
) -> None:
    grant = Caller(BOB).ask(OTHER_VOICE).json()
    assert grant["endpoint"] == east.url


def test_with_no_other_server_it_is_disabled_for_now(lost: Server) -> None:
    answer = Caller(BOB).ask(OTHER_VOICE)
    assert (answer.status_code, answer.json()["code"]) == (503, "FEATURE_TEMPORARILY_DISABLED")


def test_the_sweep_says_it_and_goes_on_with_the_others(
    lost: Server, east: FakeLiveKit, caplog: pytest.LogCaptureFixture
) -> None:
    sweep.sweep(server_id=lost.pk)
    other = Server.objects.get(region="us-east")
    report = sweep.sweep(server_id=other.pk)
    assert report is not None
    assert report.error == ""
    lost.refresh_from_db(fields=["failing_since", "last_error"])
    assert lost.failing_since is not None
    assert lost.last_error == UNREADABLE
    assert TO_DO in caplog.text
    assert VoiceState.objects.get().joined_at is not None


def test_a_room_stays_due_and_is_settled_once_the_key_is_back(
    west: FakeLiveKit, settings: Settings
) -> None:
    server, keys = Server.objects.get(), settings.FIELD_KEYS
    due(server)
    lose(settings)
    assert settle_room(server_id=server.pk, room="guild_10_channel_100")
    assert DueRoom.objects.exists()
    settings.FIELD_KEYS = keys
    DueRoom.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    settle_room(server_id=server.pk, room="guild_10_channel_100")
    assert not DueRoom.objects.exists()


def test_a_webhook_is_to_come_again(lost: Server, west: FakeLiveKit) -> None:
    answer = Client().post(
        "/webhooks/livekit/us-west/us-west-1", b"{}", content_type="application/webhook+json",
        headers={"authorization": "x.y.z"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")


def test_the_check_names_the_server(lost: Server, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", databases=["default"])
    said = capsys.readouterr().err
    assert "us-west/us-west-1" in said
    assert TO_DO in said
