"""Who calls, in the tests of regions."""

import pytest

from tests.regions.scene import Back


@pytest.fixture
def back(db: None) -> Back:
    """The back end, on an empty registry."""
    return Back()
