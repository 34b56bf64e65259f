"""What beat asks of regions."""

from celery import shared_task

from regions import probes


@shared_task(name="regions.tasks.probe_servers")
def probe_servers() -> None:
    """Mark who went down and who came back. Two runs at once count an outage once."""
    probes.probe()
