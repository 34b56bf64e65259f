"""The stage of the fault tests, and a beat that ticks when the test says so."""

from collections.abc import Callable

import pytest

from tests.faults.beat import Beat
from tests.voice.conftest import (  # noqa: F401 fixtures
    alice,
    bob,
    charlie,
    east,
    later,
    moira,
    stage,
    west,
)


@pytest.fixture
def beat(later: Callable[[float], None]) -> Beat:  # noqa: F811 the fixture
    """What beat and the workers do, one round after another."""
    return Beat(later)
