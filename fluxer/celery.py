"""The Celery application: the faster clock of what the tables already say must be done."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fluxer.settings")

app = Celery("fluxer")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

from fluxer import errands, farewell  # noqa: E402, F401 (their signals; they need no app)
