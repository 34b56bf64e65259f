"""What is set is taken; what is not is made once, and only then."""

from pathlib import Path

import pytest

from fluxer.local.configuration import SECRETS, Configuration
from fluxer.local.errors import LocalError
from fluxer.local.state import State

OWN_DATABASE = "postgres://voice:secret@db.example/voice"


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state.json")


def test_every_secret_that_is_not_set_is_made_and_kept(state: State) -> None:
    first = Configuration({}).completed(state, {})
    assert all(len(first[name]) >= 32 for name in SECRETS)
    assert Configuration({}).completed(State(state.path), {}) == first


def test_what_is_set_is_taken(state: State) -> None:
    found = {
        "FLUXER_SERVICE_TOKEN": "x" * 40,
        "ALLOWED_HOSTS": "voice.example",
        "LOG_LEVEL": "DEBUG",
    }
    assert found.items() <= Configuration(found).completed(state, {}).items()


def test_a_secret_in_a_file_is_not_made_again(state: State) -> None:
    found = {"DJANGO_SECRET_KEY_FILE": "/run/secrets/key"}
    assert "DJANGO_SECRET_KEY" not in Configuration(found).completed(state, {})


def test_an_empty_service_token_stays_closed(state: State) -> None:
    completed = Configuration({"FLUXER_SERVICE_TOKEN": ""}).completed(state, {})
    assert completed["FLUXER_SERVICE_TOKEN"] == ""


def test_callers_are_verified_by_one_source_only(state: State) -> None:
    found = {"FLUXER_AUTH_JWKS_URL": "https://id.example/jwks"}
    assert "FLUXER_AUTH_JWT_KEY" not in Configuration(found).completed(state, {})


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({}, True),
        ({"DATABASE_URL": OWN_DATABASE}, False),
        ({"DATABASE_URL_FILE": "/run/secrets/database"}, False),
        ({"DATABASE_URL": OWN_DATABASE, "FLUXER_DEMO": "1"}, True),
        ({"FLUXER_DEMO": "0"}, False),
    ],
)
def test_the_demo_is_for_a_database_of_our_own(found: dict[str, str], wanted: bool) -> None:
    assert Configuration(found).wants_demo is wanted


def test_a_switch_that_is_neither_on_nor_off_is_refused() -> None:
    with pytest.raises(LocalError, match=r"^FLUXER_LOCAL_LIVEKIT is 'maybe': set it to 1 or 0\.$"):
        _ = Configuration({"FLUXER_LOCAL_LIVEKIT": "maybe"}).wants_livekit
