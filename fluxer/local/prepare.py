"""Make the database ready for a local copy: tables, a staff user, its regions, the demo.

A process of its own, because Django's settings are read here and nowhere else in this package.
Prints one JSON object: `staff` ("known" when the password given is right) and `demo`.
"""

import io
import json
import os
import sys

import django
from django.core.management import CommandError, call_command

STAFF = "admin"


def main(regions: str = "") -> None:
    """`regions` is the file that `regions_import` reads. A CommandError is one sentence."""
    django.setup()
    try:
        said = _prepare(regions)
    except CommandError as error:
        sys.exit(str(error))
    print(json.dumps(said))


def _prepare(regions: str) -> dict[str, str]:
    call_command("migrate", interactive=False, verbosity=0)
    staff = _staff(os.environ["DJANGO_SUPERUSER_PASSWORD"])
    if regions:
        call_command("regions_import", regions, stdout=io.StringIO())
    demo = io.StringIO()
    if os.environ["FLUXER_DEMO"] == "1":
        call_command("voice_demo", stdout=demo)
    return {"staff": staff, "demo": demo.getvalue().strip()}


def _staff(password: str) -> str:
    """Make the staff user where there is no staff at all; never change one that is there."""
    from django.contrib.auth import get_user_model

    users = get_user_model()._default_manager
    if not users.filter(is_superuser=True).exists():
        call_command("createsuperuser", interactive=False, username=STAFF, email="", verbosity=0)
    user = users.filter(username=STAFF, is_active=True).first()
    return "known" if user is not None and user.check_password(password) else "other"


if __name__ == "__main__":
    main(*sys.argv[1:])
