"""Regions and servers as the file that `regions_import` takes, without any secret."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from regions.models import Region, Server
from regions.serializers import RegionSerializer, ServerSerializer

_REGION = ("id", "name", "emoji", "latitude", "longitude", "is_default")
_SERVER = (
    "id", "endpoint", "api_url", "api_key", "api_secret", "soft_connection_limit", "is_active",
    "is_draining",
)  # fmt: skip
_RESTRICTION = (
    "vip_only", "required_guild_features", "allowed_guild_ids", "allowed_user_ids",
)  # fmt: skip


def text() -> str:
    """The file. What has its default value is left out; `api_secret` is a `${NAME}` to be set."""
    regions = [_region(region) for region in Region.objects.order_by("pk")]
    servers: dict[str, list[dict[str, Any]]] = {}
    for server in Server.objects.defer("api_secret").order_by("region_id", "slug"):
        servers.setdefault(server.region_id, []).append(_server(server))
    for region in regions:
        region["servers"] = servers.get(region["id"], [])
    names = [server["api_secret"][2:-1] for region in regions for server in region["servers"]]
    body = yaml.safe_dump({"regions": regions}, allow_unicode=True, sort_keys=False)
    return "".join(_head(names)) + body


def _head(names: list[str]) -> Iterator[str]:
    yield "# For `manage.py regions_import`. Secrets are not here; have it find them in\n"
    yield f"# the environment as {', '.join(names)}.\n" if names else "# the environment.\n"


def _region(region: Region) -> dict[str, Any]:
    return _kept(RegionSerializer(region).data, (*_REGION, *_RESTRICTION))


def _server(server: Server) -> dict[str, Any]:
    shown = {**ServerSerializer(server).data, "api_secret": f"${{{secret_name(server)}}}"}
    kept = _kept(shown, (*_SERVER, *_RESTRICTION))
    if not server.is_active:
        kept["is_active"] = False
    return kept


def secret_name(server: Server) -> str:
    """The variable that the server's secret is expected in."""
    # Ids have no underscore, so that no two servers share a name.
    words = (word.replace("-", "_").upper() for word in (server.region_id, server.slug))
    return f"LIVEKIT_SECRET_{'__'.join(words)}"


def _kept(shown: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    kept = {name: shown[name] for name in names if shown[name] not in (None, "", [], False)}
    return {name: value for name, value in kept.items() if (name, value) != ("is_active", True)}
