"""Alice, tokens for her, and the people who make tokens that must not work."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.test import Client

from fluxer.directory.models import User

ALICE = 4101


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create(id=ALICE, username="alice")


@pytest.fixture
def claims() -> dict[str, Any]:
    """What a good token of Alice's says."""
    return {"sub": str(ALICE), "exp": int(time.time()) + 600}


@pytest.fixture
def bearer(claims: dict[str, Any]) -> Callable[..., dict[str, str]]:
    """Headers with a token of Alice's, or with other claims (None: without that claim)."""

    def headers(**other: Any) -> dict[str, str]:
        said = {name: value for name, value in (claims | other).items() if value is not None}
        token = jwt.encode(said, settings.FLUXER_AUTH_JWT_KEY, "HS256")
        return {"Authorization": f"Bearer {token}"}

    return headers


@pytest.fixture
def as_alice(alice: User, bearer: Callable[..., dict[str, str]]) -> Client:
    """A client that calls as Alice."""
    return Client(headers=bearer())


def pytest_itemcollected(item: Any) -> None:
    """Tell the operations of /schema apart.

    schemathesis puts them into the names of its tests; pytest 9.2 no longer reads ids out of names,
    and a parallel run would take all of them for one test.
    """
    label = getattr(item, "operation_label", None)
    if label and not item.nodeid.endswith("]"):
        item._id = item.id.with_params(label)
