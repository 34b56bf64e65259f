"""`manage.py check`, which looks into the database without being told to."""

from typing import Any

from django.core.management.commands.check import Command as DjangosCheck


class Command(DjangosCheck):
    def handle(self, *app_labels: Any, **options: Any) -> None:
        options["databases"] = options["databases"] or ["default"]
        super().handle(*app_labels, **options)
