"""Those who order others about: moderators, and the chat product's back end."""

import json
from typing import Any

from django.conf import settings
from django.test import Client

from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import FakeParticipant
from tests.voice.scene import GUILD, VOICE, Caller, bearer
from voice.models import VoiceState


class BackEnd:
    """The chat product's client of `/service`."""

    def __init__(self) -> None:
        self._client = Client(raise_request_exception=False)

    def ask(self, method: str, path: str, body: Any = None, *, reason: str = "") -> Any:
        """The answer, whatever its status."""
        headers = {"Authorization": f"Bearer {settings.FLUXER_SERVICE_TOKEN[0]}"}
        if reason:
            headers["X-Audit-Log-Reason"] = reason
        data = "" if body is None else json.dumps(body)
        kind = "application/json"
        return self._client.generic(method, f"/service{path}", data, kind, headers=headers)

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """The body of a good answer, or the test fails."""
        response = self.ask(method, path, body)
        assert response.status_code < 300, response.content
        return response.json() if response.content else None


def moderate(by: Caller, user: int | str, *, reason: str = "", **body: Any) -> Any:
    """The answer to a moderation of a member of the guild."""
    headers = {"Authorization": bearer(by.user_id)}
    if reason:
        headers["X-Audit-Log-Reason"] = reason
    path = f"/guilds/{GUILD}/members/{user}"
    client = Client(raise_request_exception=False)
    return client.patch(path, body, content_type="application/json", headers=headers)


def enter(fake: FakeLiveKit, caller: Caller, channel_id: int = VOICE) -> FakeParticipant:
    """In the channel with a token of their own."""
    return fake.join(caller.token(channel_id)["token"])


def connection_of(participant: FakeParticipant) -> str:
    """The id of a participant's connection."""
    return participant.identity.split("_", 2)[2]


def state_of(user_id: int) -> VoiceState:
    """The only connection of somebody."""
    return VoiceState.objects.get(user_id=user_id)
