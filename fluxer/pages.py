"""The pages for people: what this is, and the documentation. No scripts but our own."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from fluxer.errors import catalogue

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI sets style attributes
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def page(template: str, **context: Any) -> HttpResponse:
    """A template as an answer that may load nothing from elsewhere."""
    # Rendered without the request: no context processor then looks at staff's session.
    response = HttpResponse(render_to_string(template, context))
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


@csrf_exempt
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """`/`."""
    return page("index.html")


@csrf_exempt
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """`/docs`."""
    # Not the classes themselves: a template calls whatever can be called.
    errors = [
        {"status": kind.status, "code": kind.code, "message": kind.message} for kind in catalogue()
    ]
    return page("docs.html", errors=errors)
