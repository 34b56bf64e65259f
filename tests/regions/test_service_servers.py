"""How the back end keeps servers, and that a secret never comes out or changes hands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from fluxer.directory.models import Channel
from regions import catalog
from regions.models import Server
from tests.regions.scene import MACHINE, SECRET, Back, faults, region, server
from tests.voice.scene import VOICE, people
from voice.models import DueRoom, RoomPin

PATH = "regions/us-west/servers/a"
NEVER_PROBED = {
    "state": "unknown",
    "since": None,
    "probed_at": None,
    "probe_ms": None,
    "last_error": "",
}
BARE: dict[str, Any] = {
    "id": "a",
    "region_id": "us-west",
    "endpoint": MACHINE["endpoint"],
    "api_url": MACHINE["api_url"],
    "api_key": "key-1",
    "soft_connection_limit": None,
    "is_active": True,
    "is_draining": False,
    "vip_only": False,
    "required_guild_features": [],
    "allowed_guild_ids": [],
    "allowed_user_ids": [],
    "health": NEVER_PROBED,
}


@pytest.fixture
def west(back: Back) -> None:
    region("us-west")


@pytest.mark.usefixtures("west")
class TestKeeping:
    def test_a_server_is_put_and_read_back_without_its_secret(self, back: Back) -> None:
        put = back.put(PATH, **MACHINE)
        assert put.status_code == 201
        assert put.json() == BARE == back.get(PATH).json()
        assert back.get("regions/us-west/servers").json() == [BARE]
        assert SECRET not in put.content.decode()

    def test_the_secret_is_encrypted_in_the_table(self, back: Back) -> None:
        back.put(PATH, **MACHINE)
        with connection.cursor() as cursor:
            cursor.execute("SELECT api_secret FROM regions_server")
            stored = cursor.fetchone()[0]
        assert SECRET not in stored
        assert Server.objects.get().api_secret == SECRET

    def test_without_an_api_url_ours_is_derived_from_the_endpoint(self, back: Back) -> None:
        for absent in ({}, {"api_url": None}, {"api_url": ""}):
            put = back.put(PATH, **{k: v for k, v in MACHINE.items() if k != "api_url"}, **absent)
            assert put.json()["api_url"] is None
        assert Server.objects.get().livekit.api_url == "https://voice.example.org"

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"endpoint": None}, "endpoint"),
            ({"endpoint": "https://voice.example.org"}, "endpoint"),
            ({"endpoint": "wss://a:b@voice.example.org"}, "endpoint"),
            ({"endpoint": "wss://voice.example.org?x"}, "endpoint"),
            ({"api_url": "wss://voice.example.org"}, "api_url"),
            ({"api_url": "http://169.254.169.254"}, "api_url"),
            ({"api_url": "http://2852039166"}, "api_url"),
            ({"api_url": "http://x:99999"}, "api_url"),
            ({"api_key": ""}, "api_key"),
            ({"api_key": 5}, "api_key"),
            ({"api_secret": "x" * 31}, "api_secret"),
            ({"api_secret": None}, "api_secret"),
            ({"soft_connection_limit": 0}, "soft_connection_limit"),
            ({"soft_connection_limit": "5"}, "soft_connection_limit"),
            ({"soft_connection_limit": 2**31}, "soft_connection_limit"),
            ({"is_active": 1}, "is_active"),
            ({"is_draining": "no"}, "is_draining"),
            ({"allowed_guild_ids": ["-1"]}, "allowed_guild_ids.0"),
        ],
    )
    def test_a_bad_body_names_its_fault_and_writes_nothing(
        self, back: Back, change: dict[str, Any], path: str
    ) -> None:
        assert path in faults(back.put(PATH, **{**MACHINE, **change}))
        assert not Server.objects.exists()

    def test_the_error_about_a_short_secret_says_what_livekit_wants(self, back: Back) -> None:
        answer = back.put(PATH, **{**MACHINE, "api_secret": "short"})
        assert "at least 32 characters" in answer.json()["errors"][0]["message"]

    @override_settings(LIVEKIT_ALLOWED_HOSTS=[".example.org"])
    def test_hosts_beyond_the_allowed_ones_are_refused(self, back: Back) -> None:
        assert back.put(PATH, **MACHINE).status_code == 201
        moved = {**MACHINE, "endpoint": "wss://example.com"}
        assert faults(back.put(PATH, **moved)) == {"endpoint": "HOST_NOT_ALLOWED"}

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({}, "api_url"),
            ({"endpoint": "wss://other.example.org"}, "api_url"),
            ({"api_url": "https://VOICE-API.example.org:7443/"}, "api_url"),
            ({"endpoint": "wss://voice-api.example.org:7443", "api_url": None}, "endpoint"),
        ],
    )
    def test_a_livekit_server_is_described_once(
        self, back: Back, change: dict[str, Any], path: str
    ) -> None:
        """Two rows would each throw out whoever is in the rooms of the other."""
        region("us-east")
        back.put(PATH, **MACHINE)
        east = "regions/us-east/servers/b"
        assert faults(back.put(east, **{**MACHINE, **change})) == {path: "ADDRESS_TAKEN"}
        assert Server.objects.count() == 1
        elsewhere = {**MACHINE, "api_url": "https://east.example.org"}
        assert back.put(east, **elsewhere).status_code == 201
        assert faults(back.patch(east, **{**MACHINE, **change})) == {path: "ADDRESS_TAKEN"}
        assert back.patch(east, is_draining=True).status_code == 200

    def test_unknown_places_are_404(self, back: Back) -> None:
        for method, path, code in (
            ("PUT", "regions/mars/servers/a", "UNKNOWN_VOICE_REGION"),
            ("GET", "regions/mars/servers", "UNKNOWN_VOICE_REGION"),
            ("GET", "regions/mars/servers/a", "UNKNOWN_VOICE_REGION"),
            ("DELETE", "regions/mars/servers/a", "UNKNOWN_VOICE_REGION"),
            ("GET", PATH, "UNKNOWN_VOICE_SERVER"),
            ("PATCH", PATH, "UNKNOWN_VOICE_SERVER"),
            ("POST", f"{PATH}/drain", "UNKNOWN_VOICE_SERVER"),
            ("POST", f"{PATH}/restore", "UNKNOWN_VOICE_SERVER"),
            ("POST", f"{PATH}/probe", "UNKNOWN_VOICE_SERVER"),
            ("GET", "regions/us-west/servers/A", "NOT_FOUND"),
            ("POST", f"{PATH}/explode", "NOT_FOUND"),
        ):
            body = {**MACHINE} if method == "PUT" else {}
            answer = back.get(path) if method == "GET" else back.call(method, path, body)
            assert (answer.status_code, answer.json()["code"]) == (404, code), path


@pytest.mark.usefixtures("west")
class TestTheSecret:
    @pytest.mark.parametrize(
        "change",
        [
            {"endpoint": "wss://elsewhere.example.org"},
            {"api_url": "https://elsewhere.example.org"},
            {"api_url": None},
            {"api_key": "another"},
        ],
    )
    def test_it_never_follows_a_changed_address_or_key(
        self, back: Back, change: dict[str, Any]
    ) -> None:
        server("us-west")
        without = {k: v for k, v in MACHINE.items() if k != "api_secret"}
        for answer in (back.patch(PATH, **change), back.put(PATH, **{**without, **change})):
            assert faults(answer) == {"api_secret": "REQUIRED"}
        assert back.get(PATH).json()["endpoint"] == MACHINE["endpoint"]
        assert back.patch(PATH, **change, api_secret=SECRET).status_code == 200

    def test_a_put_without_it_keeps_it_and_all_else_can_change(self, back: Back) -> None:
        server("us-west", soft_connection_limit=5, vip_only=True, is_draining=True)
        without = {k: v for k, v in MACHINE.items() if k != "api_secret"}
        put = back.put(PATH, **without, is_active=False)
        assert put.status_code == 200
        assert put.json() == {**BARE, "is_active": False, "is_draining": True}
        assert Server.objects.get().api_secret == SECRET

    def test_a_new_server_needs_one(self, back: Back) -> None:
        without = {k: v for k, v in MACHINE.items() if k != "api_secret"}
        assert faults(back.put(PATH, **without)) == {"api_secret": "REQUIRED"}

    def test_spelling_the_derived_api_url_out_is_no_change(self, back: Back) -> None:
        server("us-west", api_url="")
        assert back.patch(PATH, api_url="https://voice.example.org").status_code == 200

    def test_it_is_in_no_repr(self, back: Back) -> None:
        row = server("us-west")
        assert SECRET not in f"{row!r} {row.livekit!r} {catalog.place(row.pk)!r} {catalog.load()!r}"


@pytest.mark.usefixtures("west")
class TestVerbs:
    def test_drain_and_restore(self, back: Back) -> None:
        server("us-west")
        assert back.post(f"{PATH}/drain").json() == {**BARE, "is_draining": True}
        assert back.post(f"{PATH}/drain").json()["is_draining"] is True
        assert back.post(f"{PATH}/restore").json() == BARE

    def test_a_probe_asks_at_once_and_shows_the_health(self, back: Back, livekit: Any) -> None:
        server("us-west", endpoint=livekit.url, api_url=livekit.api_url)
        health = back.post(f"{PATH}/probe").json()["health"]
        assert health["state"] == "up"
        assert health["probed_at"].endswith("Z")
        assert health["probe_ms"] > 0

    def test_a_probe_of_a_dead_server_says_so_the_second_time(
        self, back: Back, livekit: Any, time_machine: Any
    ) -> None:
        server("us-west", endpoint=livekit.url, api_url=livekit.api_url)
        time_machine.move_to(timezone.now())
        with livekit.fault("break", method="GET /"):
            assert back.post(f"{PATH}/probe").json()["health"]["last_error"]
            time_machine.shift(timedelta(seconds=3))
            health = back.post(f"{PATH}/probe").json()["health"]
        assert health["state"] == "down"
        assert health["since"] is not None
        assert back.post(f"{PATH}/probe").json()["health"]["state"] == "up"

    def test_health_in_a_word(self, back: Back) -> None:
        now = timezone.now()
        row = server("us-west", probed_at=now)
        for fields, word in (
            ({"probed_at": now}, "up"),
            ({"suspect_until": now + timedelta(seconds=9)}, "suspect"),
            ({"failing_since": now}, "failing"),
            ({"down_since": now}, "down"),
        ):
            Server.objects.filter(pk=row.pk).update(**fields)
            assert back.get(PATH).json()["health"]["state"] == word


@pytest.mark.usefixtures("west")
class TestInUse:
    def test_who_is_on_a_server_that_answers_keeps_it_where_it_is(self, back: Back) -> None:
        """Nobody could be seen or kicked any more at an address that is asked no more."""
        people()
        row, now = server("us-west"), timezone.now()
        channel = Channel.objects.get(pk=VOICE)
        pin = RoomPin.objects.create(channel=channel, server=row, pinned_at=now, made_at=now)
        moved = {"api_url": "https://elsewhere.example.org", "api_secret": SECRET}
        assert faults(back.patch(PATH, **moved)) == {"api_url": "IN_USE"}
        same = {"endpoint": "wss://other-name.example.org", "api_key": "new", "api_secret": SECRET}
        assert back.patch(PATH, **same).status_code == 200
        Server.objects.update(failing_since=now)  # people talk on
        assert faults(back.patch(PATH, **moved)) == {"api_url": "IN_USE"}
        Server.objects.update(down_since=now)  # perhaps because its address is wrong
        assert back.patch(PATH, **moved).status_code == 200
        Server.objects.update(down_since=None)
        pin.delete()
        assert back.patch(PATH, **MACHINE).status_code == 200


@pytest.mark.usefixtures("west")
class TestDeleting:
    def test_a_server_that_nothing_needs_goes(self, back: Back) -> None:
        server("us-west")
        assert back.delete(PATH).status_code == 204
        assert back.delete(PATH).status_code == 204

    def test_a_pin_or_an_unfinished_removal_holds_it(self, back: Back) -> None:
        people()
        row, now = server("us-west"), timezone.now()
        pin = RoomPin.objects.create(
            channel=Channel.objects.get(pk=VOICE), server=row, pinned_at=now, made_at=now
        )
        assert back.delete(PATH).json()["code"] == "CONFLICT"
        pin.delete()
        due = DueRoom.objects.create(server=row, room="dm_1", due_at=now)
        assert back.delete(PATH).status_code == 409
        due.delete()
        assert back.delete(PATH).status_code == 204
