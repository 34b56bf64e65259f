"""What the configuration lacks, in sentences with hints: `manage.py check`, and at every boot.

Errors stop the boot. `check --deploy` adds what is unsafe or missing for production.
"""

import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from fluxer.authentication import SHORTEST_KEY, SHORTEST_SERVICE_TOKEN

log = logging.getLogger(__name__)


@register(Tags.security)
def configuration(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """What does not work anywhere."""
    return [*_user_tokens(), *_service_tokens(), *_field_keys()]


@register(Tags.security, deploy=True)
def production(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """What works, and should not be done where strangers call."""
    return [
        checks.Warning(sentence, hint=hint, id=f"fluxer.W{number:03}")
        for number, lacking, sentence, hint in (
            (
                1,
                not settings.SECURE_SSL_REDIRECT,
                "HTTPS_ONLY is off: tokens and staff's sessions travel in the clear.",
                "Set HTTPS_ONLY=1, and TRUSTED_PROXIES where a proxy ends TLS.",
            ),
            (
                2,
                settings.FLUXER_DEMO,
                "FLUXER_DEMO is on: anybody can sign in as the users of the demo.",
                "Set FLUXER_DEMO=0.",
            ),
            (
                3,
                not settings.METRICS_TOKEN,
                "METRICS_TOKEN is not set: /metrics answers nobody.",
                "Set it to a random value and give it to Prometheus as a bearer token.",
            ),
            (
                4,
                not settings.FLUXER_SERVICE_TOKEN,
                "FLUXER_SERVICE_TOKEN is not set: nobody can fill the directory.",
                "Set it to 32 or more random characters, and give it to the chat product.",
            ),
            (
                5,
                "*" in settings.ALLOWED_HOSTS,
                "ALLOWED_HOSTS lets any host name in.",
                "Name the hosts under which this service is reached.",
            ),
            (
                6,
                settings.FLUXER_AUTH_JWKS_URL.lower().startswith("http:"),
                "FLUXER_AUTH_JWKS_URL is read over plain http: whoever is on the way can sign.",
                "Use https.",
            ),
        )
        if lacking
    ]


def at_boot() -> None:
    """Refuse to start on a configuration that cannot work; say what production would lack."""
    faults = [fault for fault in configuration() if fault.is_serious()]
    if faults:
        raise ImproperlyConfigured(" ".join(f"{fault.msg} {fault.hint}" for fault in faults))
    lacking = production()
    if lacking:
        log.warning("Not fit for production: %s", " ".join(message.msg for message in lacking))


def _user_tokens() -> Iterator[CheckMessage]:
    key, url = settings.FLUXER_AUTH_JWT_KEY, settings.FLUXER_AUTH_JWKS_URL
    if not key and not url:
        yield Error(
            "Nothing says how users' tokens are verified.",
            hint="Set FLUXER_AUTH_JWT_KEY (HS256) or FLUXER_AUTH_JWKS_URL.",
            id="fluxer.E001",
        )
    if key and url:
        yield Error(
            "FLUXER_AUTH_JWT_KEY and FLUXER_AUTH_JWKS_URL are both set.",
            hint="Keep the one that signs users' tokens.",
            id="fluxer.E002",
        )
    if key and len(key.encode()) < SHORTEST_KEY:
        yield Error(
            f"FLUXER_AUTH_JWT_KEY is shorter than {SHORTEST_KEY} bytes.",
            hint="Make one with: openssl rand -hex 32",
            id="fluxer.E003",
        )
    if url and not (urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname):
        yield Error(
            "FLUXER_AUTH_JWKS_URL is no http(s) address.",
            hint="It looks like https://id.example.org/.well-known/jwks.json",
            id="fluxer.E004",
        )


def _service_tokens() -> Iterator[CheckMessage]:
    if any(len(token) < SHORTEST_SERVICE_TOKEN for token in settings.FLUXER_SERVICE_TOKEN):
        yield Error(
            f"FLUXER_SERVICE_TOKEN has a token of fewer than {SHORTEST_SERVICE_TOKEN} characters;"
            " it lets nobody in.",
            hint="Make each with: openssl rand -hex 32",
            id="fluxer.E005",
        )


def _field_keys() -> Iterator[CheckMessage]:
    if not settings.FIELD_KEYS:
        yield Error(
            "FIELD_KEYS is not set: the secrets of voice servers cannot be stored.",
            hint="Make one with: openssl rand -base64 32 | tr +/ -_",
            id="fluxer.E006",
        )
    if not all(_is_fernet_key(key) for key in settings.FIELD_KEYS):
        yield Error(
            "FIELD_KEYS holds something that is no Fernet key.",
            hint="Each is 32 random bytes in URL-safe base64: openssl rand -base64 32 | tr +/ -_",
            id="fluxer.E007",
        )


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True
