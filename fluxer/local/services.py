"""The services that a copy starts for itself: those that the environment does not name."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import yaml

from fluxer.local.configuration import Configuration
from fluxer.local.livekit import LiveKit
from fluxer.local.place import Place
from fluxer.local.ports import HOST, Ports
from fluxer.local.postgres import Postgres
from fluxer.local.processes import Service
from fluxer.local.redis import Redis
from fluxer.local.state import State, password, text_secret, write_private


@dataclass(frozen=True)
class Region:
    """A region with one server, `{id}-1`."""

    id: str
    name: str
    emoji: str
    latitude: float
    longitude: float
    is_default: bool = False

    @property
    def server_id(self) -> str:
        return f"{self.id}-1"


REGIONS = (
    Region("us-west", "US West", "🇺🇸", 37.7749, -122.4194, is_default=True),
    Region("eu-central", "EU Central", "🇩🇪", 50.1109, 8.6821),
)


class Services:
    """What has been started, in the order of need; `addresses` is what the settings want."""

    def __init__(self, place: Place, state: State, stack: ExitStack) -> None:
        self.running: list[Service] = []
        self.addresses: dict[str, str] = {}
        self._place = place
        self._state = state
        self._stack = stack  # stops the last one first

    def start_databases(self, configuration: Configuration, *, postgres: int, redis: int) -> None:
        """On these ports, unless there is one elsewhere."""
        logs, pids = self._place.logs, self._place.pids
        if not configuration.has("DATABASE_URL"):
            database = Postgres(
                data=self._place.root / "postgres",
                port=postgres,
                password=self._state.once("postgres_password", text_secret),
                log=logs / "postgres.log",
                pids=pids,
            )
            self.addresses["DATABASE_URL"] = database.url
            self._add(database)
        if not configuration.has("REDIS_URL"):
            queue = Redis(
                data=self._place.root / "redis",
                port=redis,
                password=self._state.once("redis_password", text_secret),
                log=logs / "redis.log",
                pids=pids,
            )
            self.addresses["REDIS_URL"] = queue.url
            self._add(queue)

    def start_livekit(self, ports: Ports) -> None:
        """One server in each region, and a file that tells `regions_import` of them."""
        servers = [self._livekit(ports, index) for index in range(len(REGIONS))]
        listed = [_listed(*pair) for pair in zip(REGIONS, servers, strict=True)]
        text = yaml.safe_dump({"regions": listed}, allow_unicode=True, sort_keys=False)
        write_private(self._place.root / "regions.yaml", text)

    def _livekit(self, ports: Ports, index: int) -> LiveKit:
        region, server = REGIONS[index].id, REGIONS[index].server_id
        media = LiveKit(
            server,
            directory=self._place.root / "livekit",
            ports=ports.livekit(index),
            key=self._state.once(f"livekit_key_{server}", lambda: f"{server}-{password()}"),
            secret=self._state.once(f"livekit_secret_{server}", text_secret),
            webhook_url=f"http://{HOST}:{ports.web}/webhooks/livekit/{region}/{server}",
            log=self._place.logs / f"livekit-{server}.log",
            pids=self._place.pids,
        )
        self._add(media)
        return media

    def _add(self, service: Service) -> None:
        self.running.append(service)
        self._stack.callback(service.stop)


def _listed(region: Region, server: LiveKit) -> Mapping[str, object]:
    return {
        "id": region.id,
        "name": region.name,
        "emoji": region.emoji,
        "latitude": region.latitude,
        "longitude": region.longitude,
        "is_default": region.is_default,
        "servers": [
            {
                "id": region.server_id,
                "endpoint": server.url,
                "api_url": server.api_url,
                "api_key": server.key,
                "api_secret": server.secret,
            }
        ],
    }
