"""The OpenAPI document: what the views say, and every error that they can answer."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer

from fluxer.authentication import ServiceAuthentication, UserAuthentication
from fluxer.errors import FluxerError, catalogue

WITH_BODY = ("POST", "PUT", "PATCH")


class FluxerSchema(AutoSchema):
    """Adds the errors of an operation to its answers.

    A view names its own in `error_codes`: codes of the catalogue, or a mapping from the action
    (or the method, in lower case) to them. What every route can answer is added here.
    """

    method_mapping = AutoSchema.method_mapping | {"put": "replace", "patch": "merge"}

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        for status, kinds in self._errors().items():
            bodies.setdefault(str(status), _response(kinds))
        return bodies

    def _is_create_operation(self) -> bool:
        """A POST answers 200 here; what creates says so."""
        return False

    def _has_query(self) -> bool:
        return any(parameter["in"] == "query" for parameter in self._get_parameters())

    def _errors(self) -> dict[int, list[type[FluxerError]]]:
        kinds: dict[int, list[type[FluxerError]]] = defaultdict(list)
        codes = {*self._own_codes(), *self._common_codes()}
        for kind in catalogue():
            if kind.code in codes:
                kinds[kind.status].append(kind)
                codes.discard(kind.code)
        if codes:
            raise ValueError(f"{self.method} {self.path}: no such errors: {sorted(codes)}")
        return kinds

    def _own_codes(self) -> Iterable[str]:
        codes: Any = getattr(self.view, "error_codes", ())
        if isinstance(codes, dict):
            action = getattr(self.view, "action", None)
            codes = codes.get(action, codes.get(self.method.lower(), ()))
        return tuple(codes)

    def _common_codes(self) -> set[str]:
        codes = {"NOT_FOUND", "PAYLOAD_TOO_LARGE", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR"}
        authentication = self.view.authentication_classes
        if authentication:
            codes.add("UNAUTHORIZED")
        if UserAuthentication in authentication:
            codes.add("UNKNOWN_USER")
        if ServiceAuthentication in authentication and self.method != "GET":
            codes.add("CONFLICT")
        if self.method in WITH_BODY or self._has_query():
            codes.add("INVALID_FORM_BODY")
        if self.method in WITH_BODY:
            codes.add("UNSUPPORTED_MEDIA_TYPE")
        if getattr(self.view, "throttle_scope", None):
            codes.add("RATE_LIMITED")
        return codes


def _response(kinds: list[type[FluxerError]]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "code": {"type": "string", "enum": [kind.code for kind in kinds]},
        "message": {"type": "string"},
    }
    if any(kind.code == "INVALID_FORM_BODY" for kind in kinds):
        properties["errors"] = {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("path", "code", "message")},
                "required": ["path", "code", "message"],
            },
        }
    response: dict[str, Any] = {"description": "; ".join(f"{k.code}: {k.message}" for k in kinds)}
    if kinds[0].status in (429, 503):
        properties["retry_after"] = {"type": "integer", "minimum": 1}
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "required": True}}
    schema = {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name != "errors"],
    }
    return {**response, "content": {"application/json": {"schema": schema}}}


class UserScheme(OpenApiAuthenticationExtension):
    """How the document names users' tokens."""

    target_class = UserAuthentication
    name = "user"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        says = "A user's JWT: `sub` is the user id, `exp` is required, `sid` names the device."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": says}


class ServiceScheme(OpenApiAuthenticationExtension):
    """How the document names service tokens."""

    target_class = ServiceAuthentication
    name = "service"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "One of FLUXER_SERVICE_TOKEN."}


@lru_cache(maxsize=1)
def document() -> bytes:
    """The document, made once a process."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    rendered: bytes = OpenApiJsonRenderer().render(schema, renderer_context={})
    return rendered


@csrf_exempt
@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """`/schema`."""
    return HttpResponse(document(), content_type="application/json")
