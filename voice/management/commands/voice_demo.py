"""`manage.py voice_demo`: a guild to try voice with, and a request that works when pasted."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from voice import demo


class Command(BaseCommand):
    help = "Prepare the demo guild, in an empty directory only, and print how to try it."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.FLUXER_DEMO:
            raise CommandError("The demo is off: set FLUXER_DEMO=1 to have it.")
        if not settings.FLUXER_AUTH_JWT_KEY:
            raise CommandError(
                "The demo signs its people's tokens with FLUXER_AUTH_JWT_KEY, which is not set:"
                " set it instead of FLUXER_AUTH_JWKS_URL, or set FLUXER_DEMO=0."
            )
        try:
            demo.prepare()
        except demo.NotADemo:
            raise CommandError(
                "This directory has people of its own, and the demo touches no other's:"
                " set FLUXER_DEMO=0 to go on with it, or take an empty database (make run has one"
                " for each RUN_DIR)."
            ) from None
        people = ", ".join(f"{name} ({pk})" for pk, name in demo.PEOPLE.items())
        self.stdout.write(f"Demo guild {demo.GUILD} with {people}.")
        rooms = ", ".join(f"{name} ({pk})" for pk, (name, _) in demo.VOICE_CHANNELS.items())
        self.stdout.write(f"Voice channels: {rooms}.")
        self.stdout.write("Ask for a voice token as alice:")
        self.stdout.write(demo.curl_line(demo.OWNER))
