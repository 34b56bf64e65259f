"""Lines that can be followed: uniform, with the request's id, as JSON, and without a secret."""

import json
import logging
from io import StringIO
from typing import Any

import jwt
import pytest
from celery.beat import SchedulingError
from django.conf import settings
from django.db import OperationalError, transaction
from django.test import Client
from kombu.exceptions import OperationalError as BrokerAway

from fluxer import errands, logs
from fluxer.outages import Outage
from tests.livekit.fake import FakeLiveKit
from tests.voice import scene
from tests.voice.scene import Caller
from voice import journal
from voice.models import EndReason, VoiceState
from voice.states import endings


class Log:
    """What was logged, in one of the two formats."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(formatter)
        self.handler.addFilter(logs.RequestIdFilter())

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def records(self, **wanted: Any) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.text.splitlines()]
        return [record for record in found if wanted.items() <= record.items()]


@pytest.fixture
def log() -> Any:
    log = Log(logs.JSONFormatter())
    logging.getLogger().addHandler(log.handler)
    yield log
    logging.getLogger().removeHandler(log.handler)


@pytest.fixture
def line() -> Any:
    log = Log(logs.LineFormatter())
    logging.getLogger().addHandler(log.handler)
    yield log
    logging.getLogger().removeHandler(log.handler)


def test_a_request_is_one_line_with_who_where_and_how_long(west: FakeLiveKit, log: Log) -> None:
    answer = Caller(scene.ALICE).ask()
    (record,) = log.records(logger="fluxer.access")
    assert record["method"] == "POST"
    assert record["status"] == 200
    assert record["user_id"] == str(scene.ALICE)
    assert record["channel_id"] == str(scene.VOICE)
    assert record["request_id"] == answer["X-Request-ID"]
    assert isinstance(record["ms"], int)


def test_a_join_can_be_followed_from_seat_to_end(
    west: FakeLiveKit, log: Log, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        grant = Caller(scene.ALICE).token()
        state = VoiceState.objects.get()
        endings.end(
            [state], room="guild_10_channel_100", reason=EndReason.LEFT, now=state.created_at
        )
    followed = log.records(connection_id=grant["connection_id"])
    assert [record["decision"] for record in followed] == ["seated", "ended"]
    about = {"user_id": "1", "channel_id": "100", "guild_id": "10", "logger": "voice.journal"}
    assert all(about.items() <= record.items() for record in followed)
    assert followed[-1]["reason"] == "left"
    assert log.records(decision="pinned", channel_id="100")


def test_what_is_rolled_back_was_never_decided(
    db: None, log: Log, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        journal.tell("joined", connection_id="conn_never")
        transaction.set_rollback(True)
    assert not log.records(connection_id="conn_never")


def test_the_line_for_people_says_the_same(
    db: None, line: Log, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        journal.tell("ended", reason="left", connection_id="conn_1", user_id=5, guild_id=None)
    assert "voice.journal [-] ended connection=conn_1 user=5 reason=left" in line.text


@pytest.mark.parametrize(
    "said",
    [
        "Authorization: Bearer abcdefghijklmnop",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "cut off: eyJhbGciOiJIUzI1NiJ9",
        "at redis://:hunter22hunter@127.0.0.1:6379/0",
        'api_secret="a b c, and more"',
        "{'latitude': '37.7749', 'longitude': -122.4194}",
        "latitude=37.7749&longitude=-122.4194",
        "/rtc?access_token=abc123def",
    ],
)
def test_what_looks_like_a_secret_or_a_place_is_taken_out(said: str) -> None:
    clean = logs.scrubbed(said)
    gone = ("abcdefgh", "eyJ", "hunter22", "a b c", "37.77", "122.4", "abc123def", "c2lnbm")
    assert not [secret for secret in gone if secret in clean]
    assert "[" in clean


@pytest.mark.parametrize(
    "said", ["POST /channels/100/voice/token 200 4 ms user=1", "token_nonce=5", "no region: 404"]
)
def test_what_is_harmless_stays(said: str) -> None:
    assert logs.scrubbed(said) == said


def test_our_own_secrets_are_known_by_heart() -> None:
    ours = (
        settings.SECRET_KEY,
        settings.METRICS_TOKEN,
        *settings.FIELD_KEYS,
        *settings.FLUXER_SERVICE_TOKEN,
    )
    for secret in (*ours, settings.FLUXER_AUTH_JWT_KEY, settings.DATABASES["default"]["PASSWORD"]):
        assert secret not in logs.scrubbed(f"it is {secret}!")


def test_a_traceback_is_scrubbed_too(log: Log, line: Log) -> None:
    token = jwt.encode({"sub": "1"}, "k" * 32, algorithm="HS256")
    try:
        raise RuntimeError(f"refused {token}")
    except RuntimeError:
        logging.getLogger("anything").exception("failed with %s", token)
    for text in (log.text, line.text):
        assert "RuntimeError" in text
        assert token not in text
        assert token.rsplit(".", maxsplit=1)[-1] not in text
    assert len(log.text.splitlines()) == 1


def test_no_line_of_a_join_holds_a_token_a_secret_or_a_coordinate(
    west: FakeLiveKit, log: Log, line: Log, django_capture_on_commit_callbacks: Any
) -> None:
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            caller = Caller(scene.ALICE)
            grant = caller.token(latitude="37.7749", longitude="-122.4194")
            caller.ask(latitude="91.2345", longitude="-122.4194")
            Client().get("/voice/regions?latitude=37.7749&longitude=-122.4194")
    finally:
        logging.getLogger().setLevel(settings.LOG_LEVEL)
    authorization = caller._headers["Authorization"].removeprefix("Bearer ")
    for secret in (grant["token"], authorization, west.secret, "37.7749", "122.4194", "91.2345"):
        assert secret not in log.text + line.text


def test_a_worker_takes_up_the_errand(log: Log) -> None:
    from celery.app.task import Context

    from voice.tasks import settle as task

    headers: dict[str, Any] = {}
    token = logs.request_id.set("req-2")
    errands.pack(headers=headers)
    logs.request_id.reset(token)
    task.push_request(**headers)
    try:
        assert isinstance(task.request, Context)
        errands.unpack(task=task, task_id="t1")
        logging.getLogger("voice").warning("settling")
        errands.put_down(task=task, state="SUCCESS")
        logging.getLogger("voice").warning("afterwards")
    finally:
        task.pop_request()
    assert log.records(request_id="req-2", message="settling")
    assert log.records(request_id="-", message="afterwards")


def new_logger(name: str, log: Log) -> logging.Logger:
    """As the settings make this one; it has told of no outage yet."""
    assert {type(one) for one in logging.getLogger(name).filters} == {Outage}
    logger = logging.Logger(name)
    logger.addFilter(Outage())
    logger.addHandler(log.handler)
    return logger


def fail(logger: logging.Logger, task: str, error: Exception) -> None:
    """What Celery logs of a task that raised."""
    try:
        raise error
    except Exception:
        logger.exception("Task %s raised", task, extra={"data": {"name": task}})


def test_a_task_without_postgresql_is_one_line_and_not_again_at_once(log: Log) -> None:
    logger = new_logger("celery.app.trace", log)
    for _ in range(3):
        fail(logger, "voice.tasks.tidy", OperationalError("away\n  Is the server running?"))
    fail(logger, "voice.tasks.sweep", OperationalError("away"))
    tidy, sweep = log.records(logger="celery.app.trace")
    assert tidy["message"] == "voice.tasks.tidy failed and is asked for again: away"
    assert (tidy["level"], tidy["task"]) == ("warning", "voice.tasks.tidy")
    assert sweep["task"] == "voice.tasks.sweep"
    assert "Traceback" not in log.text


def test_a_task_that_fails_of_something_else_keeps_its_traceback_each_time(log: Log) -> None:
    logger = new_logger("celery.app.trace", log)
    for _ in range(2):
        fail(logger, "voice.tasks.tidy", ValueError("odd"))
    records = log.records(logger="celery.app.trace", level="error")
    assert len(records) == 2
    assert all("ValueError: odd" in record["traceback"] for record in records)


@pytest.mark.parametrize(("cause", "said"), [(BrokerAway("refused"), 1), (TypeError("odd"), 3)])
def test_beat_says_once_that_it_cannot_ask_for_a_task(
    log: Log, cause: Exception, said: int
) -> None:
    logger = new_logger("celery.beat", log)
    for _ in range(3):
        try:
            try:
                raise cause
            except Exception as error:
                raise SchedulingError(f"Couldn't apply tidy: {error}") from None
        except SchedulingError as error:
            logger.exception("Message Error: %s\n%s", error, "the stack")
    records = log.records(logger="celery.beat")
    assert len(records) == said
    assert all(("traceback" in record) == (said > 1) for record in records)


def test_the_pool_says_once_why_it_has_no_connection(log: Log) -> None:
    logger = new_logger("psycopg.pool", log)
    for _ in range(3):
        logger.warning("error connecting: %s", "refused\n\tIs it up?")
    (record,) = log.records(logger="psycopg.pool")
    assert record["message"] == "error connecting: refused"
