"""What beat asks of regions."""

import logging
import time

from celery import shared_task
from django.db import OperationalError

from regions import health, probes

log = logging.getLogger(__name__)

SECOND_LOOK = 3.0  # seconds after a round; a proxy that is being reloaded is no second failure


@shared_task(name="regions.tasks.probe_servers")
def probe_servers() -> None:
    """Mark who went down and who came back. Two runs at once count an outage once.

    Who failed for the first time is asked once more soon, all of them together, so that a death
    is known one interval and at most seven seconds after it, and not two intervals.
    """
    try:
        probes.probe()
    except OperationalError as error:  # a row that somebody holds; the next round comes soon
        log.warning("not every probe is written: %s", error)
    if health.doubted().exists():
        time.sleep(SECOND_LOOK)
        probes.probe(health.doubted().only("endpoint", "api_url"))
