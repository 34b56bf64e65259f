"""Who is calling: a user's JWT becomes a directory user, a service token becomes the service."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from fluxer import snowflakes
from fluxer.directory.models import User
from fluxer.errors import Unauthorized, UnknownUser
from fluxer.jwks import keys_behind

LONGEST_TOKEN = 8 * 1024
LONGEST_SESSION = 64
SHORTEST_KEY = 32  # bytes of the HS256 key
SHORTEST_SERVICE_TOKEN = 32  # characters


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says besides who calls. `session` is the device session, if named."""

    user_id: int
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """The chat product's back end, or an operator's script."""

    pk: None = None
    is_authenticated: bool = True
    is_anonymous: bool = False

    def __str__(self) -> str:
        return "service"


class UserAuthentication(BaseAuthentication):
    """`Authorization: Bearer <JWT>`: the user in `request.user`, the Claims in `request.auth`."""

    def authenticate(self, request: Request) -> tuple[User, Claims] | None:
        token = bearer_token(request)
        if token is None:
            return None
        claims = verify(token)
        try:
            return User.objects.get(pk=claims.user_id), claims
        except User.DoesNotExist:
            raise UnknownUser from None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ServiceAuthentication(BaseAuthentication):
    """`Authorization: Bearer <one of FLUXER_SERVICE_TOKEN>`."""

    def authenticate(self, request: Request) -> tuple[Service, None] | None:
        token = bearer_token(request)
        if token is None:
            return None
        if not is_service_token(token):
            raise Unauthorized
        return Service(), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class IsCaller(BasePermission):
    """A user of the directory."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, User)


class IsService(BasePermission):
    """The back end."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Service)


def bearer_token(request: Request) -> bytes | None:
    """The bearer token of a request; None without the header. Unauthorized when malformed."""
    header = get_authorization_header(request)
    if not header:
        return None
    scheme, _, token = header.partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token or len(token) > LONGEST_TOKEN:
        raise Unauthorized
    return token


def is_service_token(token: bytes) -> bool:
    """Whether this is one of our service tokens; takes as long whichever it is."""
    matches = [
        hmac.compare_digest(token, ours.encode())
        for ours in settings.FLUXER_SERVICE_TOKEN
        if len(ours) >= SHORTEST_SERVICE_TOKEN
    ]
    return any(matches)


def verify(token: bytes) -> Claims:
    """What a user's token claims. Unauthorized unless signed, in time, and of the right form."""
    try:
        key, algorithms = _key_for(token)
        payload = jwt.decode(
            token,
            key,
            algorithms=algorithms,
            issuer=settings.FLUXER_AUTH_ISSUER or None,
            audience=settings.FLUXER_AUTH_AUDIENCE or None,
            options={
                "require": ["exp", "sub"],
                "verify_aud": bool(settings.FLUXER_AUTH_AUDIENCE),
                "verify_iss": bool(settings.FLUXER_AUTH_ISSUER),
                "verify_iat": False,
            },
        )
    # Numbers that are none and nesting without end are not all PyJWT errors.
    except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError):
        raise Unauthorized from None
    return _claims(payload)


def _key_for(token: bytes) -> tuple[Any, list[str]]:
    """The key that must have signed this token, and the only algorithms it may have used.

    The token never chooses: `alg` only has to agree, and `jku` and `x5u` are not looked at.
    """
    secret, url = settings.FLUXER_AUTH_JWT_KEY.encode(), settings.FLUXER_AUTH_JWKS_URL
    if bool(secret) == bool(url):
        raise Unauthorized
    if secret:
        if len(secret) < SHORTEST_KEY:
            raise Unauthorized
        return secret, ["HS256"]
    header = jwt.get_unverified_header(token)
    key = keys_behind(url).find(header.get("kid"))
    if key is None:
        raise Unauthorized
    return key.key, [key.algorithm_name]


def _claims(payload: Mapping[str, Any]) -> Claims:
    user_id, session = snowflakes.parse(payload["sub"]), payload.get("sid")
    if user_id is None or not (session is None or _is_session(session)):
        raise Unauthorized
    return Claims(user_id=user_id, session=session)


def _is_session(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_SESSION and value.isprintable()
