"""What Prometheus reads: no secret and no person; and what is built on it exists."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families

from fluxer import counters, metrics
from fluxer.errors import catalogue
from regions import health
from regions.models import Region, Server
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.scene import Caller
from voice import heartbeats
from voice.models import Sample
from voice.troubles import Patience, Severity

ROOT = Path(__file__).parent.parent.parent
TOKEN = {"Authorization": f"Bearer {os.environ['METRICS_TOKEN']}"}


def scrape() -> str:
    answer = Client().get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    return answer.content.decode()


def samples(text: str) -> Iterator[Any]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def value(name: str, **labels: str) -> float:
    return sum(
        s.value for s in samples(scrape()) if s.name == name and labels.items() <= s.labels.items()
    )


def test_only_who_has_the_token_reads_them(db: None) -> None:
    client = Client()
    for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": settings.METRICS_TOKEN}):
        answer = client.get("/metrics", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "UNAUTHORIZED"
        assert answer["WWW-Authenticate"] == "Bearer"
    assert client.get("/metrics", headers=TOKEN).status_code == 200
    assert client.post("/metrics", headers=TOKEN).status_code == 405


def test_without_a_token_there_is_no_such_page(db: None, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}, TOKEN):
        answer = Client().get("/metrics", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_the_tables_are_read_for_totals_and_every_server(west: FakeLiveKit) -> None:
    server = Server.objects.get()
    Server.objects.update(probed_at=timezone.now(), probe_ms=3.5, soft_connection_limit=10)
    scene.seat(scene.ALICE, server=server, is_joined=True)
    scene.seat(scene.BOB, server=server)
    here = {"region": "us-west", "server": "us-west-1"}
    assert value("fluxer_connections") == value("fluxer_seats") == value("fluxer_rooms") == 1
    assert value("fluxer_server_connections", **here) == 1
    assert value("fluxer_server_soft_limit", **here) == 10
    assert value("fluxer_server_probe_seconds", **here) == 0.0035
    assert value("fluxer_server_state", **here, state="up") == 1
    assert value("fluxer_server_state", **here) == 1
    assert value("fluxer_tables_readable") == 1


def test_what_happens_is_counted(
    west: FakeLiveKit, django_capture_on_commit_callbacks: Any
) -> None:
    before = {
        "ok": value("fluxer_tokens_total", outcome="ok"),
        "unknown": value("fluxer_tokens_total", outcome="UNKNOWN_CHANNEL"),
        "calls": value("fluxer_livekit_call_seconds_count", method="CreateRoom", outcome="ok"),
        "seated": value("fluxer_decisions_total", decision="seated"),
        "rejected": value("fluxer_webhooks_total", outcome="rejected"),
    }
    with django_capture_on_commit_callbacks(execute=True):
        Caller(scene.ALICE).token()
    Caller(scene.ALICE).ask(999)
    for address in ("/us-west/us-west-1", "/of/nobody", ""):
        Client().post(
            f"/webhooks/livekit{address}",
            b"{}",
            content_type="application/webhook+json",
            headers={"Authorization": "not a token"},
        )
    assert value("fluxer_tokens_total", outcome="ok") == before["ok"] + 1
    assert value("fluxer_tokens_total", outcome="UNKNOWN_CHANNEL") == before["unknown"] + 1
    calls = value("fluxer_livekit_call_seconds_count", method="CreateRoom", outcome="ok")
    assert calls == before["calls"] + 1
    assert value("fluxer_decisions_total", decision="seated") == before["seated"] + 1
    assert value("fluxer_webhooks_total", outcome="rejected") == before["rejected"] + 3


def test_strangers_that_come_all_at_once_are_seen_whole_and_for_an_hour(db: None) -> None:
    assert value("fluxer_strangers_last_hour") == 0
    now = timezone.now()
    Sample.objects.create(minute=now - timedelta(minutes=59), strangers=300)
    Sample.objects.create(minute=now - timedelta(minutes=61), strangers=5)
    assert value("fluxer_strangers_last_hour") == 300


def test_what_strangers_make_up_is_no_label(db: None) -> None:
    def series() -> set[tuple[str, ...]]:
        found = (s for s in samples(scrape()) if s.name == "fluxer_request_seconds_count")
        return {(s.labels["method"], s.labels["route"], s.labels["status"]) for s in found}

    client = Client()
    client.generic("FOO", "/nowhere/0")
    client.generic("FOO", "/channels/0/voice/token")
    client.get("/webhooks/livekit/r0/s0")
    scrape()
    before = series()
    for number in range(1, 9):
        client.generic(f"FOO{number}", f"/nowhere/{number}")
        client.generic(f"FOO{number}", f"/channels/{number}/voice/token")
        client.get(f"/webhooks/livekit/r{number}/s{number}")
    assert series() == before


def test_no_person_and_no_secret_is_in_them(west: FakeLiveKit) -> None:
    Caller(scene.ALICE).token()
    text = scrape()
    for sample in samples(text):
        assert not {"user", "channel", "guild", "user_id", "channel_id"} & sample.labels.keys()
        told = [v for k, v in sample.labels.items() if k not in ("le", "status")]
        assert not [label for label in told if re.search(r"\d{3,}", label)]
    secrets = (
        west.secret,
        west.key,
        settings.SECRET_KEY,
        *settings.FLUXER_SERVICE_TOKEN,
        settings.METRICS_TOKEN,
    )
    assert not [secret for secret in secrets if secret in text]


def test_the_statements_do_not_grow_with_the_servers(db: None) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            scrape()
        return len(seen)

    few = statements()
    Region.objects.create(pk="us-west", name="US West")
    for number in range(30):
        Server.objects.create(
            region_id="us-west",
            slug=f"s{number}",
            endpoint="wss://x.example",
            api_key="key",
            api_secret="s" * 32,
        )
    assert statements() == few <= 8


def test_a_database_that_is_away_leaves_the_counters(
    db: None, django_db_blocker: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def away(now: Any) -> Any:
        raise OperationalError

    monkeypatch.setattr(metrics.status, "read", away)
    text = scrape()
    assert "fluxer_tables_readable 0.0" in text
    assert "fluxer_request_seconds_count" in text


COUNTING = """
import os, sys
from fluxer import counters
counters.tokens.labels("ok").inc(int(sys.argv[1]))
counters.livekit_called("CreateRoom", "ok", 0.2)
if os.fork() == 0:
    counters.tokens.labels("ok").inc()
    os._exit(0)
os.wait()
"""


def test_the_counts_of_all_processes_are_added_up(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for number in ("2", "5"):
        subprocess.run(
            [sys.executable, "-c", COUNTING, number], env=environment, cwd=ROOT, check=True
        )
    reading = (
        "import django; django.setup()\n"
        "from fluxer import metrics\n"
        "metrics.Tables.collect = lambda self: []\n"
        "from django.utils import timezone\n"
        "print(metrics.exposition(timezone.now()).decode())"
    )
    text = subprocess.run(
        [sys.executable, "-c", reading],
        env=environment, cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    told = {
        (s.name, s.labels.get("outcome")): s.value for s in samples(text) if "le" not in s.labels
    }
    assert told["fluxer_tokens_total", "ok"] == 2 + 5 + 2
    assert told["fluxer_livekit_call_seconds_count", "ok"] == 2
    # One that counted and its child; the second two went on in the files of the first, and the
    # reader, like a health check, leaves none.
    assert len(list(tmp_path.glob("counter_*.db"))) == 2


HOLDING = """
import os, signal, sys
from fluxer import counters
counters.tokens.labels("ok").inc()
print("counted", flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_whoever_comes_counts_on_in_the_files_of_who_was_killed_and_of_nobody_who_lives(
    tmp_path: Path,
) -> None:
    def counting() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDING],
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "counted\n"
        return process

    lives = counting()
    for _ in range(3):
        counting().communicate()
    lives.communicate()
    files = sorted(tmp_path.glob("counter_*.db"))
    counted = [
        sum(value for _, value, _, _ in MmapedDict.read_all_values_from_file(file))
        for file in files
    ]
    assert counted == [1, 3]


def known_metrics() -> set[str]:
    """Every name that a scrape can bring."""
    names = {name for name, _, _ in (*metrics.TOTALS, *metrics.SERVERS, *metrics.AGES)}
    names |= {
        "fluxer_tables_readable",
        "fluxer_troubles",
        "fluxer_patience_seconds",
        "fluxer_heard_age_seconds",
        metrics.STRANGERS[0],
        "fluxer_server_state",
        "fluxer_server_probe_seconds",
    }
    for family in counters.REGISTRY.collect():
        ends = ("_bucket", "_count", "_sum") if family.type == "histogram" else ("_total",)
        names |= {family.name + end for end in ends}
    return names


def named_in(expression: str) -> set[str]:
    return set(re.findall(r"\bfluxer_[a-z_]+", expression))


def decisions() -> set[str]:
    """What the code tells the journal, in so many words."""
    code = "".join(path.read_text() for path in (ROOT / "voice").rglob("*.py"))
    found = set(re.findall(r"journal\.tell\(\s*\"(\w+)\"", code))
    assert {"seated", "ended", "removed"} <= found
    return found


# Of each label by which anything is chosen, all that it can be.
VALUES: dict[tuple[str, str], set[str]] = {
    ("fluxer_server_state", "state"): set(health.STATES),
    ("fluxer_heard_age_seconds", "who"): {heartbeats.BEAT, *heartbeats.QUEUES},
    ("fluxer_patience_seconds", "what"): {field.name for field in fields(Patience)},
    ("fluxer_troubles", "severity"): {severity.value for severity in Severity},
    ("fluxer_tokens_total", "outcome"): {"ok", *(kind.code for kind in catalogue())},
    ("fluxer_livekit_call_seconds", "outcome"): set(counters.CALL_OUTCOMES),
    ("fluxer_webhooks_total", "outcome"): set(counters.WEBHOOK_OUTCOMES),
    ("fluxer_task_seconds", "outcome"): set(counters.TASK_OUTCOMES),
    ("fluxer_decisions_total", "decision"): decisions(),
}
HISTOGRAM = re.compile(r"_(bucket|count|sum)$")


def chosen_by(expression: str) -> Iterator[tuple[str, str, str]]:
    """Metric, label and value of everything that a query chooses, or leaves out, by a label."""
    for name, labels in re.findall(r"\b(fluxer_[a-z_]+)\{([^}]*)\}", expression):
        for label, how, value in re.findall(r"(\w+)(=~|!~|!=|=)\"([^\"]*)\"", labels):
            for one in value.split("|") if "~" in how else [value]:
                yield HISTOGRAM.sub("", name), label, one


def test_what_is_counted_is_one_of_those_that_a_rule_may_choose(west: FakeLiveKit) -> None:
    Caller(scene.ALICE).token()
    Caller(scene.ALICE).ask(999)
    Client().post("/webhooks/livekit", b"{}", content_type="application/webhook+json")
    for sample in samples(scrape()):
        name = HISTOGRAM.sub("", sample.name)
        for label in sample.labels:
            known = VALUES.get((name, label))
            # The audit's words are decisions, too, and those of other tests are still counted.
            if known and label != "decision":
                assert sample.labels[label] in known, sample


def test_every_gauge_that_is_listed_is_there(west: FakeLiveKit) -> None:
    scene.beating()
    Server.objects.update(
        probed_at=timezone.now(), webhook_at=timezone.now(), probe_ms=1, soft_connection_limit=1
    )
    shown = {s.name for s in samples(scrape())}
    assert {
        name for name in known_metrics() if "_total" not in name and "_seconds_" not in name
    } <= shown


ALERTS = yaml.safe_load((ROOT / "ops/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_names_metrics_that_exist_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert named_in(rule["expr"])
    assert named_in(rule["expr"]) <= known_metrics()
    for name, label, chosen in chosen_by(rule["expr"]):
        assert chosen in VALUES[name, label]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"].endswith(".")
    assert "\n" not in rule["annotations"]["do"]
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    """`promtool test rules` runs them; it is no package that tests could bring."""
    cases = yaml.safe_load((ROOT / "ops/prometheus/alerts.test.yaml").read_text())["tests"]
    samples = [s for case in cases for t in case["promql_expr_test"] for s in t["exp_samples"]]
    firing = {re.findall(r'alertname="(\w+)"', sample["labels"])[0] for sample in samples}
    assert firing == {rule["alert"] for rule in ALERTS}
    for series in (given["series"] for case in cases for given in case["input_series"]):
        assert named_in(series) <= known_metrics()
        for name, label, value in chosen_by(series):
            assert value in VALUES.get((name, label), {value}), series


def test_the_manual_has_a_heading_for_every_alert() -> None:
    manual = (ROOT / "docs/operating.md").read_text()
    assert not [rule["alert"] for rule in ALERTS if f"**{rule['alert']}**" not in manual]


def test_the_dashboard_shows_metrics_that_exist() -> None:
    board = json.loads((ROOT / "ops/grafana/fluxer-voice.json").read_text())
    shown = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in shown:
        assert panel["title"]
        assert panel["description"]
        for target in panel["targets"]:
            assert named_in(target["expr"])
            assert named_in(target["expr"]) <= known_metrics(), panel["title"]
            for name, label, chosen in chosen_by(target["expr"]):
                assert chosen in VALUES[name, label], panel["title"]
