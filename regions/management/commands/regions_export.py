"""`manage.py regions_export`: the regions and servers as a file for `regions_import`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from regions import exporting


class Command(BaseCommand):
    help = (
        "Writes all regions and servers as the YAML that regions_import takes, to the terminal or"
        " to a file. Secrets are never in it: each api_secret is a ${NAME}, for regions_import to"
        " find in the environment."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="Without it: standard output.")

    def handle(self, *args: Any, file: Path | None, **options: Any) -> None:
        try:
            text = exporting.text()
        except DatabaseError as error:
            raise CommandError(f"The tables cannot be read: {error}") from None
        if file is None:
            self.stdout.write(text, ending="")
            return
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from None
