"""The cast is on the stage, and the transactions are real: deferred constraints count too."""

import pytest

from tests.directory.cast import BackEnd, stage


@pytest.fixture
def empty(transactional_db: None) -> BackEnd:
    """The back end of a chat product that nobody uses yet."""
    return BackEnd()


@pytest.fixture
def backend(empty: BackEnd) -> BackEnd:
    """The back end, after it told of the cast."""
    response = empty.batch(*stage())
    assert response.status_code == 200, response.content
    return empty
