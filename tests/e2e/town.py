"""A guild of its own for each test: people who call, speak and listen, and channels to meet in."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from fluxer.directory.permissions import EVERYONE_DEFAULT, Permission
from tests.e2e.api import Answer, Api
from tests.livekit.rtc import RtcClient

_ids = itertools.count(1000)

Rtc = Callable[..., RtcClient]


def soon(true: Callable[[], Any], *, within: float = 5) -> float:
    """The seconds that it took to become true; the test fails when it does not."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, f"not so within {within:g} s"
        time.sleep(0.05)
    return time.monotonic() - began


class Person:
    """Somebody with a caller and, once they are in, a real client."""

    def __init__(self, town: "Town", name: str) -> None:
        self.town, self.name, self.id = town, name, next(_ids)
        self.api = Api.person(town.url, self.id)
        self.connection_id = ""
        self.client: Any = None

    @property
    def identity(self) -> str:
        return f"user_{self.id}_{self.connection_id}"

    def ask(self, channel: int, **body: Any) -> Answer:
        """The answer to a token request."""
        body = {"guild_id": str(self.town.guild), **body}
        return self.api.ask("POST", f"/channels/{channel}/voice/token", body)

    def join(self, channel: int, **body: Any) -> dict[str, str]:
        """Get a token and go in with a real client; the token's answer."""
        answer = self.ask(channel, **body)
        assert answer.status == 200, answer
        self.connection_id = answer.body["connection_id"]
        self.client = self.enter(answer.body)
        return dict(answer.body)

    def enter(self, grant: dict[str, str]) -> RtcClient:
        """Another client with a token that there is already."""
        client = self.town.rtc(grant["endpoint"], grant["token"], name=self.name)
        client.connect()
        return client

    def state(self) -> Answer:
        """What a client asks when LiveKit dropped it."""
        asked = f"?connection_id={self.connection_id}"
        return self.api.ask("GET", f"/guilds/{self.town.guild}/voice-states/@me{asked}")


class Town:
    """alice owns it, bob and dora are members, moira moderates; two voice channels."""

    def __init__(self, url: str, rtc: Rtc) -> None:
        self.url, self.rtc = url, rtc
        self.guild, self.mods, self.voice, self.lounge = (next(_ids) for _ in range(4))
        self.back_end = Api.back_end(url)
        self.alice, self.bob, self.dora, self.moira = (
            Person(self, name) for name in ("alice", "bob", "dora", "moira")
        )
        self._settle_down()

    def _settle_down(self) -> None:
        tell, guild = self.back_end.do, f"/service/guilds/{self.guild}"
        people = (self.alice, self.bob, self.dora, self.moira)
        for person in people:
            tell("PUT", f"/service/users/{person.id}", {"username": person.name})
        tell("PUT", guild, {"name": "town", "owner_id": str(self.alice.id)})
        moderation = Permission.MUTE_MEMBERS | Permission.DEAFEN_MEMBERS | Permission.MOVE_MEMBERS
        role = {"name": "mods", "permissions": str(int(moderation)), "position": 5}
        tell("PUT", f"{guild}/roles/{self.mods}", role)
        for person in people[1:]:
            roles = [str(self.mods)] if person is self.moira else []
            tell("PUT", f"{guild}/members/{person.id}", {"role_ids": roles})
        for channel in (self.voice, self.lounge):
            tell("PUT", f"/service/channels/{channel}", {"type": 2, "guild_id": str(self.guild)})

    def room(self, channel: int) -> list[dict[str, Any]]:
        """Whom the media server shows in the channel; nobody when it has no server."""
        answer = self.back_end.ask("GET", f"/service/channels/{channel}/voice/participants")
        assert answer.status == 200 or answer.body["code"] == "UNKNOWN_VOICE_SERVER", answer
        return list(answer.body.get("participants", []))

    def states(self, channel: int) -> list[dict[str, Any]]:
        """Who is in the channel, as its owner sees it."""
        return list(self.alice.api.do("GET", f"/channels/{channel}/voice-states"))

    def pin(self, channel: int) -> dict[str, Any] | None:
        """Where the room is pinned."""
        answer = self.back_end.ask("GET", f"/service/channels/{channel}/voice")
        return dict(answer.body) if answer.status == 200 else None

    def may(self, *permissions: Permission) -> dict[str, str]:
        """The body of a role with all that everybody may, but for these."""
        mask = EVERYONE_DEFAULT
        for permission in permissions:
            mask &= ~int(permission)
        return {"permissions": str(mask)}

    def everyone(self, body: dict[str, str]) -> None:
        """Change @everyone."""
        self.back_end.do("PATCH", f"/service/guilds/{self.guild}/roles/{self.guild}", body)

    def moderate(self, person: Person, **body: Any) -> Any:
        """By moira."""
        return self.moira.api.do("PATCH", f"/guilds/{self.guild}/members/{person.id}", body)
