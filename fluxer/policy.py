"""What browsers may load: the content security policy of every page for people."""

from collections.abc import Callable, Mapping

from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "Content-Security-Policy"
_RULES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


def policy(rules: Mapping[str, str] | None = None) -> str:
    """The header: nothing from elsewhere and nothing inline; `rules` says what else."""
    return "; ".join(f"{name} {value}" for name, value in {**_RULES, **(rules or {})}.items())


class PolicyMiddleware:
    """Sets it on all that is under /admin/, errors too, where a view has not set its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path_info.startswith("/admin/"):
            response.headers.setdefault(HEADER, policy({"form-action": "'self'"}))
        return response
