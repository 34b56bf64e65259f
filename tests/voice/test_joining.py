"""A token, a seat, a visit, and the end of it."""

import json
import uuid

import jwt
import pytest
from django.conf import settings
from django.utils import timezone

from tests.livekit.fake import FakeLiveKit
from tests.voice.scene import ALICE, GUILD, VOICE, Caller
from voice import pins, tasks
from voice.models import EndedConnection, RoomPin, VoiceState

ROOM = f"guild_{GUILD}_channel_{VOICE}"


def claims_of(grant: dict[str, str]) -> dict:
    return jwt.decode(grant["token"], options={"verify_signature": False})


def test_the_answer_has_exactly_the_four_keys_of_the_seed(west: FakeLiveKit, alice: Caller):
    grant = alice.token()

    assert set(grant) == {"token", "endpoint", "connection_id", "token_nonce"}
    assert grant["endpoint"] == west.url
    assert grant["connection_id"].startswith("conn_")
    assert uuid.UUID(grant["token_nonce"]).version == 4


def test_the_token_is_signed_by_the_server_that_was_chosen(west: FakeLiveKit, alice: Caller):
    grant = alice.token()
    claims = jwt.decode(grant["token"], west.secret, algorithms=["HS256"])

    assert claims["iss"] == west.key
    assert claims["sub"] == f"user_{ALICE}_{grant['connection_id']}"
    assert claims["exp"] - claims["nbf"] == settings.VOICE_TOKEN_TTL
    assert claims["name"] == "alice"
    assert claims["video"] == {
        "room": ROOM,
        "roomJoin": True,
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
        "canPublishSources": ["microphone", "camera", "screen_share", "screen_share_audio"],
    }
    assert json.loads(claims["metadata"]) == {
        "user_id": str(ALICE),
        "guild_id": str(GUILD),
        "channel_id": str(VOICE),
        "connection_id": grant["connection_id"],
        "region_id": "us-west",
        "server_id": "us-west-1",
        "token_nonce": grant["token_nonce"],
    }


def test_a_seat_is_held_until_the_token_ends_to_livekit(west: FakeLiveKit, alice: Caller):
    grant = alice.token()
    state = VoiceState.objects.get(pk=grant["connection_id"])

    assert state.seat_until is not None
    held = (state.seat_until - timezone.now()).total_seconds()
    assert held == pytest.approx(settings.VOICE_TOKEN_TTL + 60, abs=5)
    assert state.joined_at is None


def test_who_joins_is_in_and_who_leaves_is_gone(west: FakeLiveKit, alice: Caller):
    grant = alice.token()
    participant = west.join(grant["token"])

    state = VoiceState.objects.get(pk=grant["connection_id"])
    assert state.joined_at is not None
    assert state.seat_until is None
    assert state.participant_sid == participant.sid

    participant.leave()

    assert not VoiceState.objects.exists()
    assert EndedConnection.objects.get().reason == "lost"
    assert RoomPin.objects.get().expires_at is not None


def test_the_pin_goes_a_while_after_the_last_leave(west: FakeLiveKit, alice: Caller, later):
    west.join(alice.token()["token"]).leave()

    tasks.expire_pin(VOICE)
    assert RoomPin.objects.exists()

    later(settings.VOICE_PIN_TIMEOUT + 1)
    tasks.expire_pin(VOICE)
    assert not RoomPin.objects.exists()


def test_a_return_keeps_the_pin(west: FakeLiveKit, alice: Caller, later):
    west.join(alice.token()["token"]).leave()
    west.join(alice.token()["token"])
    later(settings.VOICE_PIN_TIMEOUT + 1)

    assert not pins.expire(channel_id=VOICE)
    assert RoomPin.objects.get().expires_at is None
