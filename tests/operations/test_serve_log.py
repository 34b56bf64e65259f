"""What production writes down while people join, are moderated and put out."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.conf import settings

from tests.livekit.fake import FakeLiveKit
from tests.operations.serving import Serving
from tests.voice import scene
from tests.voice.scene import ALICE, BOB, GUILD, MOIRA, VOICE
from voice.models import DueRoom

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
LATITUDE, LONGITUDE = "37.774912", "-122.419415"


class Production:
    """All of it, and those who call it."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self.told: list[str] = []  # what must not be in the log

    def ask(self, user: int, method: str, path: str, *, request_id: str = "", **body: Any) -> Any:
        token = scene.bearer(user)
        self.told.append(token.removeprefix("Bearer "))
        named = {"X-Request-ID": request_id} if request_id else {}
        headers = {"Authorization": token, "Content-Type": "application/json", **named}
        status, text = self._serving.ask(method, path, json.dumps(body).encode(), **headers)
        assert status == 200, text
        return json.loads(text)

    def deliver(self, body: bytes, headers: dict[str, str]) -> int:
        self.told.append(headers["Authorization"])
        status, _ = self._serving.ask("POST", "/webhooks/livekit", body, **headers)
        return status

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """What is JSON, and says this."""
        log = self._serving.log.splitlines()
        found = [json.loads(line) for line in log if line.startswith("{")]
        return [line for line in found if wanted.items() <= line.items()]

    def is_settled(self) -> None:
        """Whatever comes now, no task that was sent for something else does."""
        self._serving.wait(lambda: not DueRoom.objects.exists())

    def wait_for(self, **wanted: Any) -> dict[str, Any]:
        self._serving.wait(lambda: self.lines(**wanted))
        return self.lines(**wanted)[0]


@pytest.fixture
def production(serve: Callable[..., Serving], livekit: FakeLiveKit, tmp_path: Any) -> Production:
    scene.people()
    scene.server(livekit)
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    serving = serve()
    serving.wait(lambda: serving.get("/healthz")[0] == 200 and (tmp_path / "heartbeat").exists())
    production = Production(serving)
    livekit.webhooks.to(production.deliver, background=True)
    return production


def test_every_decision_is_a_line_that_can_be_followed(
    production: Production, livekit: FakeLiveKit
) -> None:
    def enter(user: int) -> str:
        grant = production.ask(
            user, "POST", f"/channels/{VOICE}/voice/token",
            guild_id=str(GUILD), latitude=LATITUDE, longitude=LONGITUDE,
        )  # fmt: skip
        production.told.append(grant["token"])
        livekit.join(grant["token"])
        return str(grant["connection_id"])

    def moderate(user: int, request_id: str, **body: Any) -> None:
        path = f"/guilds/{GUILD}/members/{user}"
        production.ask(ALICE, "PATCH", path, request_id=request_id, **body)

    about = {"guild_id": str(GUILD), "channel_id": str(VOICE)}
    bob = enter(BOB)
    production.wait_for(decision="seated", connection_id=bob, user_id=str(BOB), **about)
    production.wait_for(decision="pinned", channel_id=str(VOICE))
    production.wait_for(decision="joined", connection_id=bob, **about)

    moderate(BOB, "req-mute", mute=True)
    muted = production.wait_for(decision="mute", user_id=str(BOB), request_id="req-mute")
    assert (muted["actor"], muted["actor_id"]) == ("user", str(ALICE))

    production.is_settled()
    moderate(BOB, "req-kick", channel_id=None)
    production.wait_for(decision="disconnect", request_id="req-kick", user_id=str(BOB))
    production.wait_for(decision="ended", request_id="req-kick", connection_id=bob)
    # The worker does it, in the name of the moderator's request.
    removed = production.wait_for(decision="removed", request_id="req-kick", connection_id=bob)
    assert removed["reason"] == "uninvited"

    moira = enter(MOIRA)
    production.wait_for(decision="joined", connection_id=moira)
    production.is_settled()
    production.ask(
        ALICE, "PATCH", f"/channels/{VOICE}", request_id="req-region", rtc_region="us-west"
    )
    for decision in ("change_region", "ended", "unpinned", "removed"):
        production.wait_for(decision=decision, request_id="req-region")
    assert production.lines(decision="ended", connection_id=moira, reason="region_changed")

    stranger = livekit.token(f"guild_{GUILD}_channel_{VOICE}", "user_1_conn_made0by0hand0")
    production.told.append(stranger)
    livekit.join(stranger)
    production.wait_for(decision="removed", reason="foreign")

    for request_id in ("req-mute", "req-kick", "req-region"):
        assert len(production.lines(logger="fluxer.access", request_id=request_id)) == 1
    secrets = (
        *production.told, livekit.secret, LATITUDE, LONGITUDE, settings.SECRET_KEY,
        settings.FLUXER_AUTH_JWT_KEY, *settings.FLUXER_SERVICE_TOKEN, *settings.FIELD_KEYS,
        os.environ["METRICS_TOKEN"],
    )  # fmt: skip
    log = production._serving.log
    assert not [secret for secret in secrets if secret in log]
    assert "Traceback" not in log
    assert all(line.startswith("{") for line in log.splitlines())
