"""Secrets are made once, kept for the owner only, and never lost to a half-written file."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from fluxer.local.errors import LocalError
from fluxer.local.state import State, fernet_key, text_secret


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    first = State(tmp_path / "state.json").once("FLUXER_SERVICE_TOKEN", text_secret)
    again = State(tmp_path / "state.json").once("FLUXER_SERVICE_TOKEN", text_secret)
    assert first == again
    assert len(first) >= 32


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    State(path).once("FIELD_KEYS", fernet_key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_field_key_is_one_that_fernet_takes(tmp_path: Path) -> None:
    box = Fernet(State(tmp_path / "state.json").once("FIELD_KEYS", fernet_key))
    assert box.decrypt(box.encrypt(b"voice")) == b"voice"


def test_a_second_secret_keeps_the_first(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state = State(path)
    state.once("one", lambda: "1")
    state.once("two", lambda: "2")
    assert json.loads(path.read_text()) == {"one": "1", "two": "2"}


@pytest.mark.parametrize("text", ["{", "[]", '"text"', ""])
def test_a_broken_file_is_named_and_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(LocalError, match=r"state\.json .* move it away\.$"):
        State(path)
    assert path.read_text() == text
