"""People's devices: what they ask of their own voice states, and what they get."""

from typing import Any

from tests.livekit.fake import FakeLiveKit
from tests.livekit.fake_participant import FakeParticipant
from tests.voice.scene import GUILD, VOICE, Caller

MINE = f"/guilds/{GUILD}/voice-states/@me"


class Device(Caller):
    """Somebody's client, with a device session (`sid`) or without one."""

    def change(self, path: str = MINE, **body: Any) -> Any:
        """The answer to a PATCH of one's own state; ids may be numbers here."""
        if body.get("channel_id") is not None:
            body["channel_id"] = str(body["channel_id"])
        return self.patch(path, body)

    def be(self, channel_id: int | None = VOICE, **body: Any) -> dict[str, Any]:
        """In the channel, or nowhere: the state, or the test fails."""
        answer = self.change(channel_id=channel_id, **body)
        assert answer.status_code == 200, answer.content
        state: dict[str, Any] = answer.json()
        return state

    def set(self, **flags: Any) -> dict[str, Any]:
        """Change flags: the state, or the test fails."""
        answer = self.change(**flags)
        assert answer.status_code == 200, answer.content
        state: dict[str, Any] = answer.json()
        return state

    def mine(self, connection_id: str | None = None, path: str = MINE) -> Any:
        """The answer to a GET of one's own state."""
        return self.get(path if connection_id is None else f"{path}?connection_id={connection_id}")

    def enter(self, fake: FakeLiveKit, channel_id: int = VOICE, **body: Any) -> FakeParticipant:
        """Fetch a token and join with it."""
        grant = self.token(channel_id, **body)
        return fake.join(grant["token"])


def connection_of(participant: FakeParticipant) -> str:
    """The connection id in a participant's identity."""
    return participant.identity.split("_", 2)[2]


def error(answer: Any) -> tuple[int, str]:
    """The status and the code."""
    return answer.status_code, answer.json().get("code", "")
