"""The stage of the fault tests, and a beat that ticks when the test says so."""

from collections.abc import Callable

import pytest

from tests.faults.beat import Beat


@pytest.fixture
def beat(later: Callable[[float], None]) -> Beat:
    """What beat and the workers do, one round after another."""
    return Beat(later)
