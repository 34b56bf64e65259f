"""The command that the image runs, on real services: it answers, and stops in good order."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import redis
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from fluxer import logs
from regions.models import Region, Server
from tests.operations.serving import ROOT, Serving
from tests.voice import scene
from voice import heartbeats, queue
from voice.models import RoomPin

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_it_serves_with_all_three_and_leaves_no_process(
    serve: Callable[..., Serving], tmp_path: Path
) -> None:
    serving = serve()
    serving.wait(lambda: serving.get("/readyz")[0] == 200)
    serving.wait((tmp_path / "heartbeat").exists)
    token = {"Authorization": f"Bearer {os.environ['METRICS_TOKEN']}"}

    def task_was_counted() -> bool:
        # The worker counted it, and the web server tells it.
        return "fluxer_task_lateness_seconds_count{" in serving.get("/metrics", **token)[1]

    serving.wait(task_was_counted)
    status, _ = serving.get("/metrics")
    assert status == 401
    family = serving.family()
    assert len(family) >= 5
    began = time.monotonic()
    assert serving.stop() == 0, serving.log
    assert time.monotonic() - began < 15
    _, alive = psutil.wait_procs(family, timeout=3)
    assert not alive
    lines = [json.loads(line) for line in serving.log.splitlines() if line.startswith("{")]
    assert any(line.get("path") == "/readyz" for line in lines)
    assert not [line for line in serving.log.splitlines() if "Traceback" in line]


def test_a_request_in_flight_is_answered_before_the_web_server_ends(
    serve: Callable[..., Serving],
) -> None:
    serving = serve("web")
    serving.wait(lambda: serving.get("/healthz")[0] == 200)
    answers: list[int] = []
    service = {"Authorization": f"Bearer {os.environ['FLUXER_SERVICE_TOKEN']}"}

    def ask() -> None:
        answers.append(serving.get("/service/regions", **service)[0])

    asking = threading.Thread(target=ask)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE regions_region IN ACCESS EXCLUSIVE MODE")
        asking.start()
        time.sleep(0.6)
        serving.process.send_signal(signal.SIGTERM)
        time.sleep(0.6)
        assert answers == []
    asking.join(10)
    assert answers == [200]
    assert serving.process.wait(15) == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", serving.port)) != 0


def test_the_worker_logs_for_the_request_that_caused_its_task(
    serve: Callable[..., Serving], tmp_path: Path
) -> None:
    scene.people()
    region = Region.objects.create(pk="us-west", name="US West")
    server = Server.objects.create(
        region=region, slug="s", endpoint="wss://x.example", api_key="key", api_secret="s" * 32
    )
    past = timezone.now() - timedelta(seconds=5)
    RoomPin.objects.create(
        channel_id=scene.VOICE, server=server, pinned_at=past, made_at=past, expires_at=past
    )
    redis.Redis.from_url(settings.REDIS_URL).flushdb()  # what other tests had sent
    serving = serve("worker")
    serving.wait((tmp_path / "heartbeat").exists)
    token = logs.request_id.set("req-of-a-kick")
    queue.after_commit("voice.tasks.expire_pin", scene.VOICE)
    logs.request_id.reset(token)
    serving.wait(lambda: '"decision": "unpinned"' in serving.log)
    line = next(line for line in serving.log.splitlines() if '"unpinned"' in line)
    said = json.loads(line)
    assert (said["request_id"], said["channel_id"]) == ("req-of-a-kick", str(scene.VOICE))
    assert serving.stop() == 0


def heard_lately() -> set[str]:
    now = timezone.now()
    return {name for name, at in heartbeats.read().items() if now - at < timedelta(seconds=60)}


def test_beat_and_the_workers_show_that_they_live(serve: Callable[..., Serving]) -> None:
    scene.beating(silent=("beat", "now", "sweep"), since=600)
    beat = serve("beat")
    beat.wait(lambda: heard_lately() == {"beat"})
    worker = serve("worker", WORKER_QUEUES="now")
    worker.wait(lambda: heard_lately() == {"beat", "now"})
    assert (beat.stop(), worker.stop()) == (0, 0)


def test_one_that_ends_by_itself_takes_the_others_along(serve: Callable[..., Serving]) -> None:
    serving = serve("web", "beat")
    serving.wait(lambda: serving.get("/healthz")[0] == 200)
    family = serving.family()
    beat = next(process for process in family if "celery" in process.cmdline())
    beat.kill()
    assert serving.process.wait(20) == 1
    assert "beat has ended by itself" in serving.log
    _, alive = psutil.wait_procs(family, timeout=3)
    assert not alive


def test_what_cannot_work_is_said_in_a_sentence(serve: Callable[..., Serving]) -> None:
    serving = serve("web", FIELD_KEYS="")
    assert serving.process.wait(20) == 1
    assert "FIELD_KEYS is not set" in serving.log.splitlines()[-1]


def test_what_dot_env_says_is_for_serve_too_and_the_environment_wins(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "fluxer", tmp_path / "fluxer", ignore=shutil.ignore_patterns("static"))
    beat = tmp_path / "beat"
    beat.touch()
    (tmp_path / ".env").write_text(f"FLUXER_HEARTBEAT={beat}\nSTOP_SECONDS=many\n")

    def run(*arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "fluxer.serve", *arguments], cwd=tmp_path,
            env=os.environ | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr.strip()

    assert run("check", "worker") == (0, "")
    assert run("check", "worker", FLUXER_HEARTBEAT=str(tmp_path / "nothing")) == (1, "")
    assert run("web") == (1, "STOP_SECONDS must be a whole number, 1 or more.")


def test_the_health_check_of_the_image(serve: Callable[..., Serving], tmp_path: Path) -> None:
    def check(role: str, **environment: str) -> int:
        return subprocess.run(
            [sys.executable, "-m", "fluxer.serve", "check", role],
            cwd=ROOT, env=os.environ | environment, check=False,
        ).returncode  # fmt: skip

    hosts = tmp_path / "hosts"
    hosts.write_text("voice.example.org")
    serving = serve("web", ALLOWED_HOSTS_FILE=str(hosts))
    serving.wait(lambda: serving.get("/healthz", Host="voice.example.org")[0] == 200)
    port = str(serving.port)
    assert check("web", PORT=port, ALLOWED_HOSTS="voice.example.org") == 0
    assert check("web", PORT=port, ALLOWED_HOSTS="") == 0  # it was given in a file
    assert serving.stop() == 0
    assert check("web", PORT=port, ALLOWED_HOSTS="voice.example.org") == 1
    beat = tmp_path / "beat"
    assert check("worker", FLUXER_HEARTBEAT=str(beat)) == 1
    beat.touch()
    assert check("worker", FLUXER_HEARTBEAT=str(beat)) == 0
    os.utime(beat, (time.time() - 60, time.time() - 60))
    assert check("worker", FLUXER_HEARTBEAT=str(beat)) == 1
