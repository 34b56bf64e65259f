"""Signing in to /admin/: only as often as RATELIMIT_LOGIN says from one address, and not much more
often with one name.

Every attempt counts, a right one too: whoever guesses right at last must have been patient.
"""

import hashlib
import ipaddress
import math
import unicodedata
from typing import Any

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from fluxer.staff.site import SoundSite
from fluxer.staff.words import span
from fluxer.throttling import counted

WINDOW = 300  # seconds
ADDRESSES = 5  # that may use up the limit of one name: a single one locks nobody out


class SignInForm(AdminAuthenticationForm):
    """Looks at no password while there is to be waited."""

    def clean(self) -> Any:
        wait = getattr(self.request, "sign_in_wait", 0)
        if wait:
            raise ValidationError(
                f"Too many attempts to sign in. Wait {span(wait)}, and try again.", code="throttled"
            )
        return super().clean()


class StaffSite(SoundSite):
    login_form = SignInForm

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The page with the form. 429 while there were too many attempts."""
        wait = _wait(request) if request.method == "POST" else 0
        request.sign_in_wait = wait  # type: ignore[attr-defined]
        response = super().login(request, extra_context)
        if wait:
            response.status_code = 429
            response["Retry-After"] = str(wait)
        return response


def address(request: HttpRequest) -> str:
    """Where the request comes from: what the outermost of TRUSTED_PROXIES saw, or our own peer.

    Of an IPv6 address the network: whoever has one has all of it.
    """
    said = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
        said = hops[-min(settings.TRUSTED_PROXIES, len(hops))] or said
    try:
        found = ipaddress.ip_address(said)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)


def _wait(request: HttpRequest) -> int:
    """Count this attempt; the whole seconds until another one is listened to, 0 for this one.

    What the address may not, does not count against the name.
    """
    limit = settings.RATELIMIT["login"]
    if not limit:
        return 0
    # As the form reads it, so that a name has no second spelling with a count of its own.
    name = unicodedata.normalize("NFKC", request.POST.get("username", "")[:1000].strip())
    for kind, value, most in (
        ("address", address(request), limit),
        ("name", name, ADDRESSES * limit),
    ):
        digest = hashlib.sha256(value.encode(errors="replace")).hexdigest()
        count, left = counted(f"fluxer:rate:login:{kind}:{digest}", window=WINDOW)
        if count > most:
            return max(1, math.ceil(left))
    return 0
