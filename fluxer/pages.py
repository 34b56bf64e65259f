"""The pages for people: what this is, and the documentation. No scripts but our own."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from fluxer.errors import NotFound, catalogue
from fluxer.policy import HEADER, policy
from regions import catalog
from voice import demo_sessions


def page(template: str, *, rules: Mapping[str, str] | None = None, **context: Any) -> HttpResponse:
    """A template as an answer that may load nothing from elsewhere; `rules` say what else."""
    # Rendered without the request: no context processor then looks at staff's session.
    response = HttpResponse(render_to_string(template, context))
    response[HEADER] = policy(rules)
    return response


@csrf_exempt
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """`/`: what this is; with FLUXER_DEMO, the page to try voice with."""
    try:
        demo_sessions.require_demo()
    except NotFound:
        return page("index.html")
    rules = {"connect-src": f"'self' {_media_servers()}", "media-src": "'self' blob:"}
    response = page("demo/page.html", rules=rules, people=demo_sessions.people())
    # What a page may use of a person's devices, and no frame in it.
    response["Permissions-Policy"] = (
        "camera=(self), microphone=(self), display-capture=(self), geolocation=(self)"
    )
    return response


def _media_servers() -> str:
    """The origins that the browser talks to directly: WebSocket, and HTTP when that fails."""
    origins = set()
    for region in catalog.load():
        for server in region.servers:
            url = urlsplit(server.endpoint)
            http = {"ws": "http", "wss": "https"}[url.scheme]
            origins |= {f"{url.scheme}://{url.netloc}", f"{http}://{url.netloc}"}
    return " ".join(sorted(origins))


@csrf_exempt
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """`/docs`."""
    # Not the classes themselves: a template calls whatever can be called.
    errors = [
        {"status": kind.status, "code": kind.code, "message": kind.message} for kind in catalogue()
    ]
    # Swagger UI sets style attributes.
    rules = {"style-src": "'self' 'unsafe-inline'"}
    return page("docs.html", rules=rules, errors=errors)
