"""What every request passes: an id, a line in the log, bounds on its body, errors as JSON."""

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.encoding import escape_uri_path
from django.views import defaults
from rest_framework import exceptions as drf
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.utils import json

from fluxer import counters, errors, logs
from fluxer.errors import FluxerError

BODY_LIMIT = 64 * 1024  # bytes; a view may have a `body_limit` of its own

_access = logging.getLogger("fluxer.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_ABOUT = ("guild_id", "channel_id")  # of the path, for the log

# What a bare error status means when whoever answered it did not say so in the envelope.
_BY_STATUS: dict[int, type[FluxerError]] = {
    401: errors.Unauthorized,
    403: errors.MissingPermissions,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    503: errors.ServiceUnavailable,
}


class RequestMiddleware:
    """The outermost layer: nothing leaves without an id, and no error leaves as HTML."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        asked = request.headers.get("X-Request-ID", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        token = logs.request_id.set(request_id)
        try:
            response = _in_envelope(request, self.get_response(request))
            response["X-Request-ID"] = request_id
            _tell(request, response, seconds=time.perf_counter() - began)
        finally:
            logs.request_id.reset(token)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Refuse a body that says it is too large, whether or not the view would read it."""
        api_view = getattr(view, "cls", None)
        if api_view is None:
            return None
        limit = getattr(api_view, "body_limit", BODY_LIMIT)
        try:
            _take_chunks(request, limit=limit)
        except FluxerError as error:
            return envelope(error)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length[:20]) > limit:
            return envelope(errors.PayloadTooLarge())
        return None


class BoundedJSONParser(BaseParser):
    """JSON of at most the view's `body_limit` bytes, in UTF-8, without NaN and infinities."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        view = (parser_context or {}).get("view")
        body = read_body(stream, limit=getattr(view, "body_limit", BODY_LIMIT))
        try:
            return json.loads(body.decode())
        # Nesting without end; and what is no UTF-8 or no JSON is a ValueError.
        except (ValueError, RecursionError):
            raise drf.ParseError from None


class AlwaysJSON(DefaultContentNegotiation):
    """Only JSON is served, whatever `Accept` says; so nobody is refused for asking otherwise."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def read_body(stream: Any, *, limit: int) -> bytes:
    """The whole body. PayloadTooLarge when it is longer; at most one byte too many is read."""
    try:
        body: bytes = stream.read(limit + 1)
    except OSError:
        # The client went away in the middle; nobody will read the answer.
        raise errors.InvalidFormBody.at("", "INVALID_JSON", "The body did not arrive") from None
    if len(body) > limit:
        raise errors.PayloadTooLarge
    return body


def _take_chunks(request: HttpRequest, *, limit: int) -> None:
    """Read a body that came in chunks: Django takes one that names no length for empty."""
    if request.META.get("CONTENT_LENGTH") or not request.META.get("wsgi.input_terminated"):
        return
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        body = read_body(request.META["wsgi.input"], limit=limit)
        request.META["CONTENT_LENGTH"] = str(len(body))
        request._stream = BytesIO(body)


def envelope(error: FluxerError) -> JsonResponse:
    """The error as Django's answer, for where DRF is not."""
    return JsonResponse(error.body(), status=error.status, headers=error.headers())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler400: what Django found suspicious, an unknown Host above all."""
    if _is_staff_page(request):
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return envelope(errors.PayloadTooLarge())
    return envelope(_refused(exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler403."""
    if _is_staff_page(request):
        return defaults.permission_denied(request, exception)
    return envelope(errors.MissingPermissions())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler404."""
    if _is_staff_page(request):
        return defaults.page_not_found(request, exception)
    return envelope(errors.NotFound())


def server_error(request: HttpRequest) -> HttpResponseBase:
    """handler500: Django calls it while the exception is being handled."""
    error = sys.exception()
    # Which also puts into the log what nobody foresaw, whoever it is that asked.
    known = errors.from_exception(error) if isinstance(error, Exception) else errors.InternalError()
    return _for_staff(known) if _is_staff_page(request) else envelope(known)


def _for_staff(error: FluxerError) -> HttpResponse:
    """The same as a page. Rendered without the request: its context would ask the session."""
    said = {"title": HTTPStatus(error.status).phrase, "sentence": error.message}
    content = render_to_string("error.html", {**said, "request_id": logs.request_id.get()})
    return HttpResponse(content, status=error.status, headers=error.headers())


def _refused(exception: Exception | None = None) -> FluxerError:
    known = isinstance(exception, SuspiciousOperation)
    code = type(exception).__name__ if known else "BadRequest"
    code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code).upper()
    return errors.InvalidFormBody.at("", code, "The request cannot be served as it was sent")


def _is_staff_page(request: HttpRequest) -> bool:
    return request.path_info.startswith("/admin/")


def _in_envelope(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The answer as it is, or an error that nobody put into the envelope, put there."""
    if response.status_code < 400 or _is_staff_page(request):
        return response
    is_json = response.get("Content-Type", "").startswith("application/json")
    if is_json or not isinstance(response, HttpResponse):
        return response
    kind = _BY_STATUS.get(response.status_code)
    if kind is not None:
        error = kind()
    else:
        error = _refused() if response.status_code < 500 else errors.InternalError()
    # The same answer, so that what other middlewares put into its headers stays.
    said = envelope(error)
    response.content, response.status_code = said.content, said.status_code
    for name, value in (*said.items(), ("Content-Length", str(len(said.content)))):
        response[name] = value
    return response


def _tell(request: HttpRequest, response: HttpResponseBase, *, seconds: float) -> None:
    """One line, and one more in the count: never the query, the body or a header, for they carry
    what is private."""
    # Staff's user is lazy: looking at it would ask the session.
    caller = vars(request).get("user")
    who = getattr(caller, "pk", None) if type(caller).__module__.startswith("fluxer.") else None
    match = request.resolver_match
    method = request.method if request.method in _METHODS else "other"
    route = match.route if match else "unmatched"
    counters.requests.labels(method, route, response.status_code).observe(seconds)
    path, ms = escape_uri_path(request.path)[:300], round(seconds * 1000)
    _access.info(
        "%s %s %s %s ms%s",
        request.method,
        path,
        response.status_code,
        ms,
        f" user={who}" if who is not None else "",
        extra={
            "method": request.method,
            "path": path,
            "status": response.status_code,
            "ms": ms,
            "user_id": who,
            **{name: match.kwargs.get(name) for name in _ABOUT if match},
        },
    )
