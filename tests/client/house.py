"""The demo as people have it: the product as processes, and two media servers in two regions."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.e2e.api import Api
from tests.e2e.product import Product
from voice import demo

REGIONS = (("us-west", "US West", -122.4), ("eu-central", "EU Central", 8.7))


class House(Product):
    """The limits and the intervals are those of production."""

    guest = "http://app.localhost"  # another origin, which may ask

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        super().__init__(directory, stack)
        for name in [name for name in self._environment if name.startswith("RATELIMIT_")]:
            del self._environment[name]
        self._environment |= {
            "DJANGO_SETTINGS_MODULE": "fluxer.settings",
            "FLUXER_DEMO": "1",
            "CORS_ALLOWED_ORIGINS": self.guest,
        }
        self.media: dict[str, Any] = {}

    def open(self, livekit_servers: Callable[..., Any]) -> None:
        """Start everything."""
        self.start()
        self.manage("voice_demo")
        self.back_end = Api.back_end(self.url)
        for region, name, longitude in REGIONS:
            self.media[region] = livekit_servers(f"{self.url}/webhooks/livekit/{region}/{region}-1")
            place = {"name": name, "latitude": 45, "longitude": longitude}
            self.tell(f"regions/{region}", {**place, "is_default": region == "us-west"})
            self.tell(f"regions/{region}/servers/{region}-1", self.address(region))

    def address(self, region: str) -> dict[str, Any]:
        """The region's server, as the registry takes it."""
        server = self.media[region]
        return {
            "endpoint": server.url,
            "api_url": server.api_url,
            "api_key": server.key,
            "api_secret": server.secret,
        }

    def tell(self, path: str, body: dict[str, Any], method: str = "PUT") -> Any:
        """By the back end."""
        return self.back_end.do(method, f"/service/{path}", body)

    def empty(self) -> None:
        """Everybody out, every channel as it was made, on no server, and every server to be had."""
        for channel in demo.VOICE_CHANNELS:
            self.back_end.do("POST", f"/service/channels/{channel}/voice/disconnect")
            self.tell(f"channels/{channel}", {"rtc_region": "us-west"}, "PATCH")
            settings: dict[str, Any] = {"rtc_region": None, "overwrites": []}
            self.tell(f"channels/{channel}", settings, "PATCH")  # a change of region ends the pin
        for person in demo.PEOPLE:
            flags = {"mute": False, "deaf": False}
            self.tell(f"guilds/{demo.GUILD}/members/{person}", flags, "PATCH")
        for region in self.media:
            self._wait_for(region)

    def _wait_for(self, region: str) -> None:
        """Until its server takes rooms. One that was ended a moment ago is suspect for a while."""
        deadline = time.monotonic() + 20
        while (health := self._probe(region))["state"] != "up":
            assert time.monotonic() < deadline, f"{region}: {health}"
            time.sleep(0.2)

    def _probe(self, region: str) -> dict[str, Any]:
        server = self.tell(f"regions/{region}/servers/{region}-1/probe", {}, "POST")
        health: dict[str, Any] = server["health"]
        return health
