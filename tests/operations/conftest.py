"""What is run as production runs it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.operations.serving import Serving


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def start(*roles: str, **environment: str) -> Serving:
        started.append(Serving(roles, tmp_path / f"serve-{len(started)}.log", **environment))
        return started[-1]

    yield start
    for serving in started:
        # All of it, or a child that outlives it meets the emptying of its tables.
        if serving.process.poll() is None:
            serving.stop()
