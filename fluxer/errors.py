"""Errors are data: a code, a status and a sentence; one catalogue, one renderer.

Every answer that is not 2xx is `{"code", "message"}`, plus `errors` for INVALID_FORM_BODY and
`retry_after` (seconds) for 429 and 503.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connections
from django.db.models import ProtectedError
from django.db.transaction import set_rollback
from django.http import Http404
from psycopg import errors as postgres
from rest_framework import exceptions as drf
from rest_framework.response import Response

log = logging.getLogger(__name__)


class FluxerError(Exception):
    """What the domain raises. `message` says what happened and, where it can, what to do."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    message: str = "Something went wrong on our side. Try again, and quote the X-Request-ID."
    retry_after: int | None = None

    def __init__(self, message: str | None = None, *, retry_after: int | None = None) -> None:
        self.message = message or self.message
        self.retry_after = self.retry_after if retry_after is None else retry_after
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """The JSON envelope."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.retry_after is not None:
            body["retry_after"] = self.retry_after
        return body

    def headers(self) -> dict[str, str]:
        """The headers that go with the envelope."""
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


class InternalError(FluxerError):
    pass


class Unauthorized(FluxerError):
    code, status = "UNAUTHORIZED", 401
    message = "Send a valid, unexpired token as `Authorization: Bearer <token>`."


class MissingPermissions(FluxerError):
    code, status = "MISSING_PERMISSIONS", 403
    message = "You lack a permission that this needs"


class NotFound(FluxerError):
    code, status = "NOT_FOUND", 404
    message = "There is nothing at this address"


class UnknownUser(FluxerError):
    code, status = "UNKNOWN_USER", 404
    message = "Unknown user"


class UnknownGuild(FluxerError):
    code, status = "UNKNOWN_GUILD", 404
    message = "Unknown guild"


class UnknownRole(FluxerError):
    code, status = "UNKNOWN_ROLE", 404
    message = "Unknown role"


class UnknownMember(FluxerError):
    code, status = "UNKNOWN_MEMBER", 404
    message = "This user is not a member of the guild"


class UnknownChannel(FluxerError):
    code, status = "UNKNOWN_CHANNEL", 404
    message = "Unknown channel"


class MethodNotAllowed(FluxerError):
    code, status = "METHOD_NOT_ALLOWED", 405
    message = "This address does not take that method"


class Conflict(FluxerError):
    code, status = "CONFLICT", 409
    message = "This is in use, or was changed at the same time"


class PayloadTooLarge(FluxerError):
    code, status = "PAYLOAD_TOO_LARGE", 413
    message = "The body is too large"


class UnsupportedMediaType(FluxerError):
    code, status = "UNSUPPORTED_MEDIA_TYPE", 415
    message = "Send JSON with `Content-Type: application/json`"


class RateLimited(FluxerError):
    code, status = "RATE_LIMITED", 429
    message = "Too many requests; wait as long as Retry-After says"
    retry_after = 10


class ServiceUnavailable(FluxerError):
    code, status = "SERVICE_UNAVAILABLE", 503
    message = "The service is busy or its database is away; try again shortly"
    retry_after = 1


class InvalidFormBody(FluxerError):
    """Bad input: `errors` has a dotted path, a code and a sentence for each fault."""

    code, status = "INVALID_FORM_BODY", 400
    message = "The request has invalid fields; see errors"

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__()
        self.errors = [dict(error) for error in errors]

    @classmethod
    def at(cls, path: str, code: str, message: str) -> "InvalidFormBody":
        """One fault at one dotted path."""
        return cls([{"path": path, "code": code, "message": message}])

    def body(self) -> dict[str, Any]:
        return {**super().body(), "errors": self.errors}


def catalogue() -> list[type[FluxerError]]:
    """Every error that the service can answer, by status and code; a variant is not told apart."""

    def kinds(parent: type[FluxerError]) -> Iterator[type[FluxerError]]:
        for kind in parent.__subclasses__():
            yield kind
            yield from kinds(kind)

    by_code: dict[str, type[FluxerError]] = {}
    for kind in kinds(FluxerError):
        by_code.setdefault(kind.code, kind)
    return sorted(by_code.values(), key=lambda kind: (kind.status, kind.code))


def _flatten(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested details as a flat list of dotted paths."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            here = "" if key == "non_field_errors" else str(key)
            yield from _flatten(value, ".".join(part for part in (path, here) if part))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            deeper = isinstance(value, Mapping | list)
            yield from _flatten(value, f"{path}.{index}".strip(".") if deeper else path)
    else:
        code = str(getattr(detail, "code", "invalid")).upper()
        yield {"path": path, "code": code, "message": str(detail)}


def from_exception(error: Exception) -> FluxerError:
    """Our error for whatever was raised; what nobody foresaw is an INTERNAL_ERROR."""
    match error:
        case FluxerError():
            return error
        case drf.ValidationError():
            return InvalidFormBody(list(_flatten(error.detail)))
        case drf.ParseError():
            return InvalidFormBody.at("", "INVALID_JSON", "The body is not valid JSON")
        case drf.NotAuthenticated() | drf.AuthenticationFailed():
            return Unauthorized()
        case drf.PermissionDenied() | PermissionDenied():
            return MissingPermissions()
        case Http404() | drf.NotFound():
            return NotFound()
        case drf.MethodNotAllowed():
            return MethodNotAllowed()
        case drf.UnsupportedMediaType():
            return UnsupportedMediaType()
        case drf.NotAcceptable():
            return NotFound("Only JSON is served here")
        case drf.Throttled():
            return RateLimited(retry_after=max(1, int(getattr(error, "wait", None) or 1)))
        case OperationalError() | InterfaceError():
            log.warning("database unavailable: %s", type(error.__cause__ or error).__name__)
            return ServiceUnavailable()
        case ProtectedError():
            return Conflict("This is still in use; end what uses it first")
        case IntegrityError(
            __cause__=postgres.UniqueViolation() | postgres.ForeignKeyViolation() as cause
        ):
            log.warning("two writers met: %s", type(cause).__name__)
            return Conflict()
        case _:
            kind = "database error" if isinstance(error, DatabaseError) else "unhandled error"
            log.error("%s", kind, exc_info=error)
            return InternalError()


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's hook: roll back whatever is open, and answer in the envelope."""
    set_rollback_everywhere()
    known = from_exception(error)
    return Response(known.body(), status=known.status, headers=known.headers())


def set_rollback_everywhere() -> None:
    """A handled exception must not commit what came before it in the request's transaction.

    Transactions are on the verbs, which an exception has left by now; a transaction that is still
    open is not ours to spoil, unless Django opened it for the request.
    """
    for connection in connections.all(initialized_only=True):
        if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block:
            set_rollback(True, using=connection.alias)
