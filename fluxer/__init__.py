"""The base of the voice control plane, and the place where its parts are put together."""

from fluxer.celery import app as celery_app

__all__ = ["celery_app"]
