"""Callers of the product over HTTP: people, and the back end of the chat product."""

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any, NamedTuple

import jwt


class Answer(NamedTuple):
    status: int
    body: Any


class Api:
    """One caller."""

    def __init__(self, url: str, authorization: str) -> None:
        self._url = url
        self._authorization = authorization

    @classmethod
    def back_end(cls, url: str) -> "Api":
        return cls(url, f"Bearer {os.environ['FLUXER_SERVICE_TOKEN']}")

    @classmethod
    def person(cls, url: str, user_id: int) -> "Api":
        claims = {"sub": str(user_id), "exp": int(time.time()) + 600}
        token = jwt.encode(claims, os.environ["FLUXER_AUTH_JWT_KEY"], algorithm="HS256")
        return cls(url, f"Bearer {token}")

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """The answer, whatever its status."""
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._url + path, data=data, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return Answer(answer.status, _read(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _read(error.read()))

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """The body of a good answer, or the test fails."""
        answer = self.ask(method, path, body)
        assert answer.status < 300, f"{method} {path}: {answer}"
        return answer.body


def _read(body: bytes) -> Any:
    return json.loads(body) if body else None
