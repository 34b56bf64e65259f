"""What an operator types: it says what it does, asks before it hurts, and ends honestly."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User as Staff
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command, get_commands
from django.db import OperationalError, connection
from django.utils import timezone

from fluxer.local.ports import free_port
from regions import exporting
from regions.models import Region, Server
from tests.livekit.fake import FakeLiveKit
from tests.operations.serving import ROOT, database_url
from tests.voice import scene
from voice.management.commands import voice_status
from voice.models import AuditEntry, DueRoom, EndedConnection, VoiceState


def run(name: str, *arguments: str) -> str:
    """What it wrote; a SystemExit is passed on."""
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def status(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("voice_status", *arguments, stdout=out, stderr=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


class Terminal:
    """Somebody who sits there and answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
        self.asked: list[str] = []

        def ask(question: str) -> str:
            self.asked.append(question)
            return answer

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", ask)


@pytest.fixture
def server(west: FakeLiveKit) -> Server:
    """The server, heard of just now, as are beat and the workers."""
    scene.beating()
    now = timezone.now()
    Server.objects.update(probed_at=now, probe_ms=2.0, webhook_at=now)
    return Server.objects.get()


@pytest.fixture
def full(server: Server) -> Server:
    """alice and bob talk, moira is in another room on the same server."""
    for user in (scene.ALICE, scene.BOB):
        scene.seat(user, server=server, is_joined=True)
    scene.seat(scene.MOIRA, scene.OTHER_VOICE, server=server, is_joined=True)
    return server


def test_the_status_of_a_good_day(full: Server) -> None:
    code, said = status()
    assert code == 0
    assert re.search(r"heard of: beat \d+ s ago, now \d+ s ago, sweep \d+ s ago", said)
    assert "3 connected, 0 seats reserved, 2 rooms, 0 pinned" in said
    assert "us-west/us-west-1  up" in said
    assert "All is well." in said


def test_the_status_of_a_bad_day_says_what_to_do_and_ends_with_1(full: Server) -> None:
    Server.objects.update(down_since=timezone.now(), last_error="connection refused")
    code, said = status()
    assert code == 1
    assert "ERROR: us-west/us-west-1 is down since" in said
    assert "Start LiveKit there" in said


def test_warnings_alone_end_with_0(full: Server) -> None:
    Region.objects.update(is_default=False)
    code, said = status()
    assert code == 0
    assert "WARNING: No region is the default" in said


def test_the_status_for_a_machine(full: Server) -> None:
    code, said = status("--json")
    told = json.loads(said)
    assert (code, told["is_well"], told["troubles"]) == (0, True, [])
    assert told["totals"]["connected"] == 3
    (row,) = told["servers"]
    assert (row["region_id"], row["id"], row["state"]) == ("us-west", "us-west-1", "up")
    assert "secret" not in said


def test_tables_that_cannot_be_read_end_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(now: Any) -> Any:
        raise OperationalError("connection refused")

    monkeypatch.setattr(voice_status.status, "read", away)
    with pytest.raises(CommandError, match="cannot be read") as end:
        run("voice_status")
    assert end.value.returncode == 2


def test_a_dry_run_disconnects_nobody(full: Server) -> None:
    said = run("voice_disconnect", "--server", "us-west/us-west-1", "--dry-run")
    assert "Would end 3 connections of 3 people in 2 rooms (server us-west/us-west-1)" in said
    assert VoiceState.objects.count() == 3
    assert not AuditEntry.objects.exists()


def test_everybody_in_a_channel_is_out_and_it_is_written_down_why(full: Server) -> None:
    arguments = ("--channel", str(scene.VOICE), "--reason", "evacuation", "--yes")
    assert "2 connections ended." in run("voice_disconnect", *arguments)
    assert [state.user_id for state in VoiceState.objects.all()] == [scene.MOIRA]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("disconnect_channel", "evacuation")
    assert entry.actor.startswith("staff ")
    assert entry.actor.endswith("(voice_disconnect)")
    assert {ended.reason for ended in EndedConnection.objects.all()} == {"disconnected"}
    assert DueRoom.objects.filter(server=full).exists()


def test_a_user_is_out_of_one_channel_or_of_all(full: Server) -> None:
    scene.seat(scene.ALICE, scene.OTHER_VOICE, server=full, is_joined=True)
    alice = ("--user", str(scene.ALICE), "--yes")
    assert "1 connections ended." in run(
        "voice_disconnect", *alice, "--channel", str(scene.OTHER_VOICE)
    )
    assert VoiceState.objects.filter(user=scene.ALICE).count() == 1
    assert "1 connections ended." in run("voice_disconnect", *alice)
    assert not VoiceState.objects.filter(user=scene.ALICE).exists()
    assert VoiceState.objects.count() == 2


def test_a_server_is_emptied_room_by_room(full: Server) -> None:
    said = run("voice_disconnect", "--server", "us-west/us-west-1", "--yes")
    assert "3 connections ended." in said
    assert "\r" not in said  # no terminal, no progress
    assert not VoiceState.objects.exists()


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("command", "last"),
    [
        ("voice_disconnect --server us-west/us-west-1 --yes", "2 of 2 rooms"),
        ("voice_reconcile", "us-west/us-west-1: settling 2 of 2 rooms"),
    ],
)
def test_a_terminal_shows_how_far_it_is(
    full: Server, west: FakeLiveKit, command: str, last: str
) -> None:
    for channel in (scene.VOICE, scene.OTHER_VOICE):
        room = f"guild_{scene.GUILD}_channel_{channel}"
        west.rooms.create(room, empty=300, departure=300, metadata="")
        west.join(west.token(room, "user_2_conn_handmade"))
    screen, out = Screen(), StringIO()
    call_command(*command.split(), stdout=out, stderr=screen)
    shown = screen.getvalue().split("\r\033[K")
    assert shown[-2:] == [last, ""]  # gone at the end
    assert "of 2 rooms" not in out.getvalue()


def test_a_file_shows_nothing_of_it(full: Server) -> None:
    assert "\r" not in run("voice_reconcile")


def test_nobody_there_is_no_failure(server: Server) -> None:
    assert "Nobody is in voice there" in run("voice_disconnect", "--channel", str(scene.VOICE))


def test_it_asks_first(full: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    doubtful = Terminal(monkeypatch, "")
    with pytest.raises(CommandError, match="Nothing was done"):
        run("voice_disconnect", "--channel", str(scene.VOICE))
    assert doubtful.asked == ["End 2 connections of 2 people in 1 rooms (channel 100)? [y/N] "]
    assert VoiceState.objects.count() == 3
    Terminal(monkeypatch, "y")
    assert "2 connections ended." in run("voice_disconnect", "--channel", str(scene.VOICE))


def test_no_answer_at_all_is_no(full: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Screen())
    with pytest.raises(CommandError, match="Nothing was done"):
        run("voice_disconnect", "--channel", str(scene.VOICE))
    assert VoiceState.objects.count() == 3


def test_where_nobody_can_be_asked_it_wants_to_be_told(
    full: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(CommandError, match="say --yes"):
        run("voice_disconnect", "--channel", str(scene.VOICE))
    assert VoiceState.objects.count() == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Say --channel"),
        (("--channel", "5", "--server", "a/b"), "Say --channel"),
        (("--channel", "999"), "no channel 999"),
        (("--channel", "99999999999999999999"), "no channel"),
        (("--user", "999"), "no user 999"),
        (("--server", "us-west/none"), "no server us-west/none"),
        (("--channel", "100", "--reason", "x" * 513), "512"),
    ],
)
def test_what_does_not_exist_is_said(
    server: Server, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("voice_disconnect", *arguments, "--yes")


def test_the_export_is_what_the_import_takes_and_has_no_secret(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Server.objects.update(is_draining=True, soft_connection_limit=50, is_active=False)
    Region.objects.update(vip_only=True, allowed_guild_ids=[9007199254740993])
    file = tmp_path / "regions.yaml"
    run("regions_export", str(file))
    text = file.read_text()
    assert text == run("regions_export")
    assert server.api_secret not in text
    assert "${LIVEKIT_SECRET_US_WEST__US_WEST_1}" in text
    with pytest.raises(CommandError, match="LIVEKIT_SECRET_US_WEST__US_WEST_1"):
        run("regions_import", str(file))
    monkeypatch.setenv("LIVEKIT_SECRET_US_WEST__US_WEST_1", server.api_secret)
    assert run("regions_import", str(file)) == "nothing to change\n"
    before = list(Server.objects.values()), list(Region.objects.values())
    Server.objects.all().delete()
    Region.objects.all().delete()
    run("regions_import", str(file))
    kept = ("slug", "endpoint", "api_url", "api_key", "is_active", "is_draining", "vip_only")
    after: Any = Server.objects.values(*kept).get()
    stored: Any = before[0][0]
    assert after == {name: stored[name] for name in kept}
    assert list(Region.objects.values()) == before[1]
    assert Server.objects.get().api_secret == server.api_secret


def test_an_export_of_nothing_is_still_a_file(db: None) -> None:
    assert yaml.safe_load(exporting.text()) == {"regions": []}


OURS = sorted(name for name in get_commands() if name.startswith(("voice_", "regions_")))


@pytest.mark.parametrize("name", OURS)
def test_each_says_what_it_is_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import execute_from_command_line

    with pytest.raises(SystemExit) as end:
        execute_from_command_line(["manage.py", name, "--help"])
    assert end.value.code == 0
    assert len(capsys.readouterr().out) > 200


@pytest.mark.parametrize(
    "command",
    ["voice_status", "voice_disconnect --channel 5", "voice_reconcile", "voice_demo",
     "regions_export", "regions_import ops/compose/regions.yaml", "migrate"],
)  # fmt: skip
def test_without_postgresql_each_ends_in_words(command: str) -> None:
    away = {"DATABASE_URL": f"postgres://x:y@127.0.0.1:{free_port()}/z", "FLUXER_DEMO": "1"}
    done = managed(command, LIVEKIT_API_SECRET="s" * 32, **away)
    assert done.returncode in (1, 2)
    assert "Connection refused" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FIELD_KEYS_FILE", "/nowhere"),
        ("VOICE_TOKEN_TTL", "soon"),
        ("REDIS_URL", ""),
        ("REDIS_URL", "localhost:6379"),
        ("DATABASE_URL", "foo"),
        ("CELERY_BROKER_URL", "foo"),
        ("ALLOWED_HOSTS", "https://voice.example.org"),
        ("CSRF_TRUSTED_ORIGINS", "voice.example.org"),
        ("CORS_ALLOWED_ORIGINS", "chat.example.org"),
    ],
)
def test_what_is_configured_wrong_is_a_sentence(variable: str, value: str) -> None:
    done = managed("voice_status", **{variable: value})
    assert done.returncode == 1
    assert done.stderr.startswith(variable)
    assert len(done.stderr.splitlines()) == 1


def test_what_the_manual_prunes_is_what_is_old(db: None) -> None:
    sizing = (ROOT / "docs/operating.md").read_text().split("## Sizing")[1].split("\n## ")[0]
    now, user = timezone.now(), Staff.objects.create_user("olaf")
    for days in (1, 360, 370, 999):
        at = now - timedelta(days=days)
        entry = AuditEntry.objects.create(actor="service", action="mute")
        AuditEntry.objects.filter(pk=entry.pk).update(at=at)
        LogEntry.objects.create(user=user, action_flag=2, action_time=at)
        key = f"session{days}"
        Session.objects.create(session_key=key, expire_date=now + timedelta(days=500 - days))
    statements = re.findall(r"DELETE .*;", sizing)
    assert len(statements) == 2
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    run(*re.findall(r"run --rm manage (\w+)", sizing))
    for rows in (AuditEntry.objects, LogEntry.objects):
        assert rows.count() == 2
    assert set(Session.objects.values_list("session_key", flat=True)) == {
        "session1", "session360", "session370",
    }  # fmt: skip


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_who_reads_only_the_beginning_sees_no_traceback(db: None, unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "manage.py", "voice_status"],
            cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
            env=os.environ | {"DATABASE_URL": database_url(), "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def managed(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *command.split()],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
