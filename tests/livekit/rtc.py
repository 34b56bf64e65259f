"""Real clients for tests: each a process of its own that joins, speaks and listens.

alice = RtcClient(url, token, name="alice")
alice.connect()
alice.publish_microphone()
bob.wait_for("track_subscribed", identity="user_1_conn_a")
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

CLIENT = Path(__file__).with_name("rtc_client.py")
PATIENCE = 15.0  # seconds

Event = dict[str, Any]


class RtcError(Exception):
    """The client could not do it; the text is the client's reason."""


class Heard(NamedTuple):
    frames: int
    rms: float


class RtcClient:
    """One client process. `events` is all that happened to it, in order."""

    def __init__(self, url: str, token: str, *, name: str = "client") -> None:
        self.url, self.token, self.name = url, token, name
        self.events: list[Event] = []
        self._seen: set[int] = set()
        self._answers: dict[int, Event] = {}
        self._numbers = count(1)
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(CLIENT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )
        self._reader = threading.Thread(target=self._read, name=f"rtc-{name}", daemon=True)
        self._reader.start()

    def __repr__(self) -> str:
        return f"<RtcClient {self.name}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    # what it does

    def connect(self, timeout: float = PATIENCE) -> str:
        """In the room; the participant's sid. Raises RtcError with the reason when refused."""
        asked = {"url": self.url, "token": self.token, "timeout": timeout}
        return str(self._ask("connect", asked, timeout + 5)["sid"])

    def publish_microphone(self, hz: float = 440, *, timeout: float = 5) -> str:
        """A tone, from now on; the track's sid.

        Raises RtcError when it is not permitted, after `timeout`: LiveKit does not say so."""
        return self.publish("MICROPHONE", "AUDIO", hz=hz, timeout=timeout)

    def publish_camera(self, *, timeout: float = 5) -> str:
        """A tiny picture; the track's sid. Raises RtcError when it is not permitted."""
        return self.publish("CAMERA", "VIDEO", timeout=timeout)

    def publish_screen(self, *, timeout: float = 5) -> str:
        return self.publish("SCREENSHARE", "VIDEO", timeout=timeout)

    def publish(self, source: str, kind: str, *, hz: float = 440, timeout: float = 5) -> str:
        """Any kind under any source, as a modified client might."""
        asked = {"source": source, "kind": kind, "hz": hz, "timeout": timeout}
        return str(self._ask("publish", asked, timeout + 5)["sid"])

    def unpublish(self, sid: str) -> None:
        self._ask("unpublish", {"sid": sid})

    def disconnect(self) -> None:
        """Leave in good order."""
        self._ask("disconnect")

    def kill(self) -> None:
        """kill -9: gone without a word to anyone."""
        self._process.kill()
        self._process.wait(timeout=5)

    def close(self) -> None:
        """End the process, however it is."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(timeout=2)
        if self._process.stdout is not None:
            self._process.stdout.close()

    # what it sees and hears

    def audio_from(self, identity: str) -> Heard:
        """The frames received of them, and how loud the last half second was (a tone: 7,000)."""
        answer = self._ask("audio_from", {"identity": identity})
        return Heard(answer["frames"], answer["rms"])

    def hears(self, identity: str, *, timeout: float = PATIENCE, loudness: float = 1000) -> bool:
        """Whether sound of theirs arrives within `timeout`."""
        before = self.audio_from(identity).frames
        return _soon(lambda: _loud(self.audio_from(identity), before, loudness), timeout)

    def participants(self) -> list[str]:
        """The identities of the others in the room."""
        return list(self._ask("participants")["participants"])

    @property
    def latest_token(self) -> str:
        """The token that LiveKit last gave it, or the one that it came with."""
        return str(self._ask("token")["token"] or self.token)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, event: str, timeout: float = PATIENCE, **match: Any) -> Event:
        """The first such event that was not waited for before. Raises RtcError if none comes."""
        wanted = {"event": event, **match}
        with self._changed:
            if self._changed.wait_for(lambda: self._find(wanted) is not None, timeout):
                index = self._find(wanted)
                assert index is not None
                self._seen.add(index)
                return self.events[index]
        raise RtcError(f"{self.name} saw no {wanted} in {timeout:g} s, but {self.events[-10:]}")

    # the wire

    def _find(self, wanted: Event) -> int | None:
        for index, event in enumerate(self.events):
            if index not in self._seen and wanted.items() <= event.items():
                return index
        return None

    def _ask(self, do: str, facts: Event | None = None, timeout: float = PATIENCE) -> Event:
        number = next(self._numbers)
        command = {"id": number, "do": do, **(facts or {})}
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise RtcError(f"{self.name} is no longer running") from error
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or not self.running, timeout)
            answer = self._answers.pop(number, None)
        if answer is None:
            raise RtcError(f"{self.name} did not answer {do} in {timeout:g} s")
        if answer["error"] is not None:
            raise RtcError(f"{self.name}: {answer['error']}")
        return answer

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            with self._changed:
                if "answer" in said:
                    self._answers[said["answer"]] = said
                else:
                    self.events.append(said)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


def _loud(heard: Heard, before: int, loudness: float) -> bool:
    return heard.frames > before + 10 and heard.rms > loudness


def _soon(true: Callable[[], bool], timeout: float) -> bool:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False
