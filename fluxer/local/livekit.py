"""A real LiveKit server on 127.0.0.1, with a key of its own and webhooks to us."""

import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fluxer.local.livekit_binary import binary
from fluxer.local.ports import HOST, LiveKitPorts
from fluxer.local.processes import Service
from fluxer.local.state import write_private

# The first signal waits for everybody to leave, the second does not.
FAREWELL = ((signal.SIGTERM, 0.5), (signal.SIGTERM, 5.0))

# A room that we did not make cannot be joined; one that we made outlives pins and tokens.
ROOM = {"auto_create": False, "empty_timeout": 300, "departure_timeout": 300}


class LiveKit(Service):
    """A running server: `url` for clients (ws), `api_url` for our calls, `key` and `secret`."""

    def __init__(
        self,
        name: str,
        *,
        directory: Path,
        ports: LiveKitPorts,
        key: str,
        secret: str,
        webhook_url: str,
        log: Path,
        pids: Path,
        room: Mapping[str, Any] | None = None,
    ) -> None:
        """Start it; `room` overrides LiveKit's room settings. LocalError if it does not start."""
        self.key, self.secret = key, secret
        self.url = f"ws://{HOST}:{ports.http}"
        self.api_url = f"http://{HOST}:{ports.http}"
        server = binary()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = directory / f"{name}.yaml"
        write_private(
            settings,
            yaml.safe_dump(_settings(ports, key, secret, webhook_url, {**ROOM, **(room or {})})),
        )
        super().__init__(
            f"LiveKit-{name}",
            [server, "--config", settings],
            log=log,
            pids=pids,
            farewell=FAREWELL,
            orphaned=signal.SIGKILL,
        )
        self.wait_until(lambda: _answers(self.api_url))


def _settings(
    ports: LiveKitPorts, key: str, secret: str, webhook_url: str, room: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "port": ports.http,
        "bind_addresses": [HOST],
        "rtc": {
            # Media over TCP would listen on every interface of the machine.
            "tcp_port": 0,
            "udp_port": ports.udp,
            "ips": {"includes": [f"{HOST}/32"]},
            "node_ip": HOST,
            "enable_loopback_candidate": True,
            "use_external_ip": False,
            "use_mdns": False,
        },
        "keys": {key: secret},
        "room": dict(room),
        "webhook": {"api_key": key, "urls": [webhook_url]},
        "logging": {"level": "warn"},
    }


def _answers(api_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api_url}/", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
