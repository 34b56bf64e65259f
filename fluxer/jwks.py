"""The public keys of the identity provider: cached, refetched when unknown, stale when it is away.

A fetch runs in a thread of its own: who needs a new key waits for it, at most `DEADLINE`; whoever
has a known key never waits, and no lock is held while the network is asked.
"""

import json
import logging
import threading
import time
import urllib.request
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fluxer.errors import ServiceUnavailable

log = logging.getLogger(__name__)

DEADLINE = 2.0  # seconds that a request waits for a fetch
PAUSE = 30.0  # seconds between two fetches
GIVE_UP = 10.0  # seconds for a document that comes in drops
FRESH = 600.0  # seconds after which known keys are fetched again: one may have been withdrawn
LARGEST = 256 * 1024

# What a key may sign, by its type and curve; anything else (`oct` above all) is passed over.
_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


class KeySet:
    """The keys behind one URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._keys: Mapping[str, jwt.PyJWK] | None = None
        self._lock = threading.Lock()
        self._began = self._fetched = float("-inf")
        self._done = threading.Event()

    def find(self, kid: str | None) -> jwt.PyJWK | None:
        """The key with this id; without an id, the only key there is.

        ServiceUnavailable while no keys were ever read: the token may be good.
        """
        key = self._known(kid)
        age = time.monotonic() - self._fetched
        if key is not None and age < FRESH:
            return key
        began = self._fetch()
        if key is not None:
            return key
        self._done.wait(max(0.0, began + DEADLINE - time.monotonic()))
        if self._keys is None:
            wait = began + PAUSE - time.monotonic()
            raise ServiceUnavailable(
                "The keys that sign tokens cannot be read just now", retry_after=max(1, int(wait))
            )
        return self._known(kid)

    def _known(self, kid: str | None) -> jwt.PyJWK | None:
        keys = self._keys or {}
        if kid is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    def _fetch(self) -> float:
        """Begin a fetch, unless one began less than `PAUSE` ago; when the latest began."""
        with self._lock:
            now = time.monotonic()
            if now - self._began >= PAUSE:
                self._began, self._done = now, threading.Event()
                threading.Thread(
                    target=self._run, args=(self._done,), name="jwks", daemon=True
                ).start()
            return self._began

    def _run(self, done: threading.Event) -> None:
        try:
            keys = _parse(_read(self.url))
        except (OSError, ValueError, RecursionError) as error:
            log.warning("the JWKS could not be read: %s", type(error).__name__)
        else:
            self._keys, self._fetched = MappingProxyType(keys), time.monotonic()
        finally:
            done.set()


@lru_cache(maxsize=4)
def keys_behind(url: str) -> KeySet:
    """The one key set of this process for a URL."""
    return KeySet(url)


def _read(url: str) -> bytes:
    """The document, bounded in size and in time; a redirect is an error."""
    deadline = time.monotonic() + GIVE_UP
    document = b""
    with _opener.open(url, timeout=DEADLINE) as response:
        while piece := response.read1(65536):
            document += piece
            if len(document) > LARGEST:
                raise ValueError("the document is too large")
            if time.monotonic() > deadline:
                raise TimeoutError
    return document


def _parse(document: bytes) -> dict[str, jwt.PyJWK]:
    """The usable keys by id. ValueError when there is none: the keys we have are better."""
    body = json.loads(document)
    entries = body.get("keys") if isinstance(body, dict) else None
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries if isinstance(entries, list) else []:
        key = _usable(entry)
        if key is not None:
            keys.setdefault(str(entry.get("kid", "")), key)
    if not keys:
        raise ValueError("no usable key")
    return keys


def _usable(entry: Any) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    kind = entry.get("kty")
    algorithm = _ALGORITHMS.get((str(kind), None if kind == "RSA" else str(entry.get("crv"))))
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    # A private key in a public document would be the provider's fault, and is none of our keys.
    if kind == "RSA" and not (isinstance(key.key, RSAPublicKey) and key.key.key_size >= 2048):
        return None
    return key
