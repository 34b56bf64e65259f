"""What the environment (and `.env`) says, and what a local copy adds to it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import environ

from fluxer.local.errors import LocalError
from fluxer.local.place import Place
from fluxer.local.ports import Ports
from fluxer.local.state import State, fernet_key, text_secret

PROJECT = Path(__file__).resolve().parent.parent.parent
SECRETS = {
    "DJANGO_SECRET_KEY": text_secret,
    "FIELD_KEYS": fernet_key,
    "FLUXER_AUTH_JWT_KEY": text_secret,
    "FLUXER_SERVICE_TOKEN": text_secret,
    "METRICS_TOKEN": text_secret,
}
# For these an empty value means something: nobody is let in.
EMPTY_MEANS_CLOSED = ("FLUXER_SERVICE_TOKEN", "METRICS_TOKEN")


@dataclass(frozen=True)
class Configuration:
    """The environment as it was found; nothing is invented here."""

    found: Mapping[str, str]

    @classmethod
    def read(cls) -> "Configuration":
        """As the settings read it: the environment wins over `.env`."""
        file = PROJECT / ".env"
        if file.exists():
            environ.Env.read_env(file, overwrite=False)
        return cls(dict(os.environ))

    def has(self, name: str) -> bool:
        """Whether this, or its `_FILE`, is set; empty counts as not set, with exceptions."""
        if name in EMPTY_MEANS_CLOSED and name in self.found:
            return True
        return bool(self.found.get(name) or self.found.get(f"{name}_FILE"))

    @property
    def place(self) -> Place:
        return Place((PROJECT / (self.found.get("RUN_DIR") or ".run")).resolve())

    @property
    def ports(self) -> Ports:
        return Ports.from_text(self.found.get("PORT") or "8000")

    @property
    def wants_livekit(self) -> bool:
        return self._switch("FLUXER_LOCAL_LIVEKIT", default=True)

    @property
    def wants_demo(self) -> bool:
        """A database of one's own is not filled with made-up people."""
        return self._switch("FLUXER_DEMO", default=not self.has("DATABASE_URL"))

    def _switch(self, name: str, *, default: bool) -> bool:
        text = (self.found.get(name) or "").lower()
        if text not in {"", *_ON, *_OFF}:
            raise LocalError(f"{name} is {text!r}: set it to 1 or 0.")
        return default if not text else text in _ON

    def completed(self, state: State, addresses: Mapping[str, str]) -> dict[str, str]:
        """The environment of every process of this copy."""
        made = {
            name: state.once(name, make)
            for name, make in SECRETS.items()
            if not self.has(name) and not (name.startswith(_JWT) and self.has(_JWKS))
        }
        return {
            **self.found,
            **made,
            **addresses,
            "ALLOWED_HOSTS": self.found.get("ALLOWED_HOSTS") or "127.0.0.1,localhost",
            "DJANGO_SETTINGS_MODULE": "fluxer.settings",
            "FLUXER_DEMO": str(int(self.wants_demo)),
            "PROMETHEUS_MULTIPROC_DIR": str(self.place.metrics),
            "PORT": str(self.ports.web),
            "RUN_DIR": str(self.place.root),
            "PYTHONUNBUFFERED": "1",
        }


_JWT, _JWKS = "FLUXER_AUTH_JWT_KEY", "FLUXER_AUTH_JWKS_URL"
_ON = {"1", "true", "yes", "on", "y", "t", "ok"}
_OFF = {"0", "false", "no", "off", "n", "f"}
