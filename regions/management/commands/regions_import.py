"""`manage.py regions_import FILE`: make regions and servers as a YAML file describes them."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from fluxer.errors import FluxerError
from regions import importing


class Command(BaseCommand):
    help = (
        "Creates or replaces the regions and servers that a YAML file lists, all or nothing, and "
        "says what changed. What the file does not list stays as it is. An api_secret may be "
        "written as ${NAME}: it is then taken from the environment."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="Say it, and change nothing.")

    def handle(self, *args: Any, file: Path, dry_run: bool, **options: Any) -> None:
        try:
            said = importing.run(file.read_text(encoding="utf-8"), dry_run=dry_run)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise CommandError(f"{file} is not UTF-8 text.") from None
        except importing.BadFile as error:
            raise CommandError(f"{file}: {error} Nothing was changed.") from None
        except FluxerError as error:
            raise CommandError(f"{error.message}. Nothing was changed.") from None
        except DatabaseError as error:
            raise CommandError(f"The database refused: {error} Nothing was changed.") from None
        for line in said or ["nothing to change"]:
            self.stdout.write(line)
        if said and dry_run:
            self.stdout.write("This was a dry run: nothing was changed.")
