"""The WSGI application that the web server runs."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fluxer.settings")

application = get_wsgi_application()

from fluxer import checks  # noqa: E402 (needs the apps to be loaded)

checks.at_boot()
