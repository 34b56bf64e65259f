"""The product, two media servers in two regions, and a town in it for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.api import Api
from tests.e2e.product import Product
from tests.e2e.town import Town


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these take seconds."""
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def product(
    tmp_path_factory: pytest.TempPathFactory, livekit_servers: Callable[..., Any]
) -> Iterator[Product]:
    """Running, with a real media server in us-west (the default) and one in us-east."""
    with ExitStack() as stack:
        product = Product(tmp_path_factory.mktemp("product"), stack)
        product.start()
        back_end = Api.back_end(product.url)
        for region, longitude in (("us-west", -122.4), ("us-east", -77.5)):
            media = livekit_servers(f"{product.url}/webhooks/livekit/{region}/{region}-1")
            place = {"name": region, "latitude": 38, "longitude": longitude}
            place["is_default"] = region == "us-west"
            back_end.do("PUT", f"/service/regions/{region}", place)
            server = {
                "endpoint": media.url,
                "api_url": media.api_url,
                "api_key": media.key,
                "api_secret": media.secret,
            }
            back_end.do("PUT", f"/service/regions/{region}/servers/{region}-1", server)
        yield product


@pytest.fixture
def town(product: Product, rtc: Callable[..., Any]) -> Town:
    return Town(product.url, rtc)
