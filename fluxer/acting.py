"""On whose behalf the directory is changed: the back end's, unless staff does it by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_name: ContextVar[str] = ContextVar("acting", default="service")


def name() -> str:
    """Who an audit entry names where nobody else is known."""
    return _name.get()


@contextmanager
def acting_as(who: str) -> Iterator[None]:
    """Whatever is changed meanwhile, here, `who` changes."""
    before = _name.set(who)
    try:
        yield
    finally:
        _name.reset(before)
