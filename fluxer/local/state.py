"""What a copy remembers: secrets made on its first run, in a file that only its owner reads."""

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from fluxer.local.errors import LocalError


def text_secret() -> str:
    """64 characters: Django asks for 50, the others for 32."""
    return secrets.token_urlsafe(48)


def fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def password() -> str:
    """Twelve characters that are easy to type, for what listens on 127.0.0.1 only."""
    return secrets.token_hex(6)


class State:
    """`state.json` of a RUN_DIR: values by name, each made once and then kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._values: dict[str, str] = _read(path)

    def once(self, name: str, make: Callable[[], str]) -> str:
        """The value under this name; on the first call it is made and written down."""
        if name not in self._values:
            self._values[name] = make()
            write_private(self.path, json.dumps(self._values, indent=2) + "\n")
        return self._values[name]


def _read(path: Path) -> dict[str, str]:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} cannot be read ({error}): repair it, or move it away.") from error
    if not isinstance(values, dict):
        raise LocalError(f"{path} is not what was written there: repair it, or move it away.")
    return values


def write_private(path: Path, text: str) -> None:
    """Write a file for the owner's eyes, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
