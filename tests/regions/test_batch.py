"""Regions and servers in a batch: all or nothing, like everything else in one."""

from __future__ import annotations

from regions.models import Region, Server
from tests.regions.scene import MACHINE, Back, faults

WEST = {"method": "PUT", "path": "/service/regions/us-west", "body": {"name": "West"}}
ONE = {"method": "PUT", "path": "/service/regions/us-west/servers/one", "body": MACHINE}


def test_a_region_and_its_server_come_together(back: Back) -> None:
    answer = back.call("POST", "batch", [WEST, ONE, ONE])
    assert answer.json() == [{"status": 201}, {"status": 201}, {"status": 200}]


def test_a_bad_server_takes_its_region_back(back: Back) -> None:
    bad = {**ONE, "body": {**MACHINE, "endpoint": "http://voice.example.org"}}
    assert "1.endpoint" in faults(back.call("POST", "batch", [WEST, bad]))
    bare = {**ONE, "body": {k: v for k, v in MACHINE.items() if k != "api_secret"}}
    assert "1.api_secret" in faults(back.call("POST", "batch", [WEST, bare]))
    assert not Region.objects.exists()
    assert not Server.objects.exists()
