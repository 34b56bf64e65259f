"""A worker that is told to stop ends in time, whatever it waits for.

Celery waits for its tasks, and for a broker that is away; whoever started it, and would kill it
then, may be gone.
"""

import os
import threading
from typing import Any

from celery.signals import worker_shutting_down


@worker_shutting_down.connect(weak=False)
def end_in_time(**_: Any) -> None:
    """STOP_SECONDS from now at the latest. What is left undone is due, and done by the next."""
    seconds = float(os.environ.get("STOP_SECONDS") or 25)
    last = threading.Timer(seconds, os._exit, [1])
    last.daemon = True
    last.start()
