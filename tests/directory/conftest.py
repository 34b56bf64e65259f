"""The cast is on the stage."""

import pytest

from tests.directory.cast import BackEnd, stage


@pytest.fixture
def empty(db: None) -> BackEnd:
    """The back end of a chat product that nobody uses yet."""
    return BackEnd()


@pytest.fixture
def backend(empty: BackEnd) -> BackEnd:
    """The back end, after it told of the cast."""
    response = empty.batch(*stage())
    assert response.status_code == 200, response.content
    return empty


@pytest.fixture
def committed(transactional_db: None, backend: BackEnd) -> BackEnd:
    """The same where threads meet: what was told is committed, and all can see it."""
    return backend
