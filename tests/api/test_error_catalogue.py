"""The catalogue is the contract's: every code once, with its status and a sentence."""

import re

import pytest

from fluxer.errors import FluxerError, catalogue

STATUSES = {
    "VOICE_CHANNEL_FULL": 400,
    "FEATURE_TEMPORARILY_DISABLED": 503,
    "UNKNOWN_VOICE_REGION": 404,
    "UNKNOWN_VOICE_SERVER": 404,
    "UNKNOWN_CHANNEL": 404,
    "UNKNOWN_GUILD": 404,
    "UNKNOWN_MEMBER": 404,
    "UNKNOWN_USER": 404,
    "UNKNOWN_ROLE": 404,
    "UNKNOWN_VOICE_STATE": 404,
    "INVALID_FORM_BODY": 400,
    "INVALID_CHANNEL_TYPE": 400,
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_ONE_ON_ONE_VOICE_CALLS": 400,
    "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS": 400,
    "VOICE_CONNECTION_LIMIT_REACHED": 400,
    "VOICE_CONNECTION_NOT_FOUND": 404,
    "USER_NOT_IN_VOICE": 400,
    "MISSING_PERMISSIONS": 403,
    "VOICE_MEMBER_TIMED_OUT": 403,
    "VOICE_SERVER_ERROR": 502,
    "UNAUTHORIZED": 401,
    "RATE_LIMITED": 429,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "CONFLICT": 409,
    "SERVICE_UNAVAILABLE": 503,
    "INTERNAL_ERROR": 500,
}
MESSAGES = {
    "VOICE_CHANNEL_FULL": "Voice channel is full",
    "FEATURE_TEMPORARILY_DISABLED": "Feature is temporarily disabled",
    "UNKNOWN_VOICE_REGION": "Invalid or unavailable region",
}
KINDS = catalogue()


def test_every_code_is_there_once() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(codes) == len(set(codes))
    assert set(codes) <= set(STATUSES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_an_error(kind: type[FluxerError]) -> None:
    assert kind.status == STATUSES[kind.code]
    assert re.fullmatch("[A-Z][A-Z_]+[A-Z]", kind.code)
    assert kind.message == MESSAGES.get(kind.code, kind.message)
    assert kind.message
    assert (kind.retry_after is not None) == (kind.status in (429, 503))
