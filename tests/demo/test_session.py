"""Signing in to the demo: for its own people only, and only where there is a demo."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from fluxer.directory import guilds, users
from voice import demo

pytestmark = pytest.mark.django_db


@pytest.fixture
def guild(settings: Settings) -> None:
    """The demo, prepared."""
    settings.FLUXER_DEMO = True
    demo.prepare()


def sign_in(client: Client, user_id: Any) -> Any:
    return client.post("/demo/session", {"user_id": user_id}, content_type="application/json")


@pytest.mark.usefixtures("guild")
class TestWithTheDemo:
    def test_a_session_is_a_caller(self, client: Client) -> None:
        said = sign_in(client, str(demo.OWNER)).json()

        assert said["user"] == {"id": "9001", "name": "Alice", "role": "owner"}
        assert [channel["name"] for channel in said["channels"]][:2] == ["Lounge", "Music"]
        headers = {"Authorization": f"Bearer {said['token']}"}
        guild = said["guild"]["id"]
        answer = client.get(f"/guilds/{guild}/voice-states", headers=headers)
        assert (answer.status_code, answer.json()) == (200, [])

    def test_each_session_is_a_device_of_its_own(self, client: Client) -> None:
        first, second = (sign_in(client, str(demo.OWNER)).json() for _ in range(2))

        assert first["session_id"] != second["session_id"]
        connections = []
        for said in (first, second):
            body = {"channel_id": str(demo.LOUNGE)}
            answer = client.patch(
                f"/guilds/{demo.GUILD}/voice-states/@me",
                body,
                content_type="application/json",
                headers={"Authorization": f"Bearer {said['token']}"},
            )
            connections.append(answer.json()["session_id"])
        assert connections == [first["session_id"], second["session_id"]]

    def test_what_one_may_do_is_said(self, client: Client) -> None:
        may = {pk: sign_in(client, str(pk)).json()["may"] for pk in demo.PEOPLE}

        assert may[demo.OWNER] == may[demo.MODERATOR]
        assert all(may[demo.MODERATOR].values())
        assert not any(may[9003].values())

    @pytest.mark.parametrize("who", ["1", "9100", "9223372036854775807"])
    def test_nobody_else_is_signed_in(self, client: Client, who: str) -> None:
        answer = sign_in(client, who)

        assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_USER")

    @pytest.mark.parametrize("who", [9001, "alice", None, ""])
    def test_a_malformed_id_is_refused(self, client: Client, who: Any) -> None:
        assert sign_in(client, who).json()["code"] == "INVALID_FORM_BODY"

    def test_the_page_is_the_demo_with_a_strict_policy(self, client: Client) -> None:
        answer = client.get("/")

        assert 'data-user="9001"' in answer.content.decode()
        policy = answer["Content-Security-Policy"]
        assert "'unsafe" not in policy
        assert "script-src 'self';" in policy
        assert "camera=(self)" in answer["Permissions-Policy"]

    def test_a_directory_that_others_use_is_no_demo(self, client: Client) -> None:
        users.put(user_id=1, username="somebody")

        assert sign_in(client, str(demo.OWNER)).status_code == 404
        assert "data-user" not in client.get("/").content.decode()


def empty() -> None:
    """Nothing was prepared."""


def of_another() -> None:
    """The ids are the demo's; the guild is not."""
    for user_id in demo.PEOPLE:
        users.put(user_id=user_id, username="somebody")
    guilds.put(guild_id=demo.GUILD, name="Somebody's", owner_id=demo.MODERATOR)


def without_carol() -> None:
    demo.prepare()
    users.remove(user_id=9003)


@pytest.mark.parametrize("directory", [empty, of_another, without_carol])
def test_it_signs_for_nobody_whom_it_has_not_made(
    client: Client, settings: Settings, directory: Callable[[], None]
) -> None:
    settings.FLUXER_DEMO = True
    directory()

    answer = sign_in(client, str(demo.OWNER))

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert "data-user" not in client.get("/").content.decode()


@pytest.mark.parametrize("method", ["get", "post", "put", "options"])
def test_without_the_demo_there_is_nothing(client: Client, method: str) -> None:
    demo.prepare()

    answer = client.generic(method.upper(), "/demo/session", '{"user_id": "9001"}')

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
