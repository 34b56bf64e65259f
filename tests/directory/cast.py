"""The cast: alice owns the guild, bob is a member, charlie is not, moira moderates.

`BackEnd` is the chat product's side of `/service`; `stage()` tells the service who exists.
"""

from typing import Any

from django.conf import settings
from django.test import Client

from fluxer.directory.permissions import Permission

ALICE, BOB, CHARLIE, MOIRA = 1, 2, 3, 4
GUILD, MODERATORS = 10, 11
VOICE, TEXT, DM, GROUP = 100, 101, 102, 103
NAMES = {ALICE: "alice", BOB: "bob", CHARLIE: "charlie", MOIRA: "moira"}
MODERATION = Permission.MUTE_MEMBERS | Permission.DEAFEN_MEMBERS | Permission.MOVE_MEMBERS


class BackEnd:
    """Calls `/service/…` with a service token."""

    def __init__(self) -> None:
        token = settings.FLUXER_SERVICE_TOKEN[0]
        self._client = Client(
            raise_request_exception=False, headers={"Authorization": f"Bearer {token}"}
        )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(self._client, method.lower())(f"/service/{path}", **data)

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def put(self, path: str, **body: Any) -> Any:
        return self.call("PUT", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

    def batch(self, *operations: Any) -> Any:
        """Each is (method, path) or (method, path, body)."""
        return self.call(
            "POST",
            "batch",
            [
                {
                    "method": method,
                    "path": f"/service/{path}",
                    **({"body": rest[0]} if rest else {}),
                }
                for method, path, *rest in operations
            ],
        )

    def read(self, path: str) -> Any:
        """What is there, or the test fails."""
        response = self.get(path)
        assert response.status_code == 200, response.content
        return response.json()


def stage() -> list[tuple[Any, ...]]:
    """The operations that tell the service of everybody."""
    guild = f"guilds/{GUILD}"
    return [
        *(("PUT", f"users/{pk}", {"username": name}) for pk, name in NAMES.items()),
        ("PUT", guild, {"name": "guild", "owner_id": str(ALICE)}),
        (
            "PUT",
            f"{guild}/roles/{MODERATORS}",
            {"name": "mods", "permissions": str(int(MODERATION)), "position": 5},
        ),
        ("PUT", f"{guild}/members/{BOB}", {}),
        ("PUT", f"{guild}/members/{MOIRA}", {"role_ids": [str(MODERATORS)]}),
        ("PUT", f"channels/{VOICE}", {"type": 2, "guild_id": str(GUILD), "name": "voice"}),
        ("PUT", f"channels/{TEXT}", {"type": 0, "guild_id": str(GUILD), "name": "text"}),
        ("PUT", f"channels/{DM}", {"type": 1, "recipient_ids": [str(ALICE), str(BOB)]}),
        (
            "PUT",
            f"channels/{GROUP}",
            {"type": 3, "recipient_ids": [str(ALICE), str(BOB), str(MOIRA)]},
        ),
    ]


def fault(response: Any) -> tuple[int, str, str, str]:
    """Status, code, and path and code of the only error of a refused body."""
    body = response.json()
    [error] = body.get("errors", [{"path": "", "code": ""}])
    return response.status_code, body["code"], error["path"], error["code"]


def refused(path: str, code: str) -> tuple[int, str, str, str]:
    """The fault of a body that is wrong at this path."""
    return 400, "INVALID_FORM_BODY", path, code
