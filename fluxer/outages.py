"""What is said while PostgreSQL or Redis is away: one line of each kind, and not again at once.

Whoever is not known to fail so keeps its traceback.
"""

import logging
import time

from celery.beat import SchedulingError
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerAway

QUIET = 30.0  # seconds after which a process says the same again
KNOWN = (OperationalError, InterfaceError, BrokerAway)


class Outage(logging.Filter):
    """For the loggers of Celery's tasks, of beat, and of the pool of connections."""

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[tuple[str, ...], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, KNOWN):
            task = getattr(record, "data", {}).get("name", "a task")
            record.__dict__["task"] = task
            said = f"{task} failed and is asked for again: {_first_line(error)}"
        elif isinstance(error, SchedulingError) and isinstance(error.__context__, KNOWN):
            said = _first_line(error)
        elif error is None and record.name == "psycopg.pool":
            said = _first_line(record.getMessage())
        else:
            return True
        record.msg, record.args = said, ()
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return self._is_time(record.name, said)

    def _is_time(self, *kind: str) -> bool:
        now = time.monotonic()
        if now < self._next.get(kind, 0.0):
            return False
        self._next[kind] = now + QUIET
        return True


def _first_line(said: object) -> str:
    lines = str(said).splitlines()
    return lines[0].strip() if lines else type(said).__name__
