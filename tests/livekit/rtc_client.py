"""A real WebRTC client, alone in its process: commands on stdin, answers and events on stdout.

Each line is one JSON object. A command `{"id": 1, "do": "connect", …}` is answered by
`{"answer": 1, "error": null, …}`; everything that happens is `{"event": …}`. The client ends when
stdin does. The media engine brings threads of its own, so it never runs in a test's process.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from array import array
from typing import Any

from livekit import rtc

RATE = 48_000
FRAME = RATE // 100  # ten milliseconds
AMPLITUDE = 10_000
WIDTH, HEIGHT = 64, 48
WINDOW = 50  # frames that the energy of a sound is measured over

KINDS = {"AUDIO": rtc.TrackKind.KIND_AUDIO, "VIDEO": rtc.TrackKind.KIND_VIDEO}


class Ear:
    """What is heard of one participant: how many frames, and how loud the last half second was."""

    def __init__(self) -> None:
        self.frames = 0
        self._squares: list[float] = []

    @property
    def rms(self) -> float:
        return math.sqrt(sum(self._squares) / len(self._squares)) if self._squares else 0.0

    async def listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        async for event in stream:
            samples = array("h", bytes(event.frame.data))
            self.frames += 1
            self._squares.append(sum(x * x for x in samples[::8]) / max(1, len(samples[::8])))
            del self._squares[:-WINDOW]


class Client:
    def __init__(self) -> None:
        self.room = rtc.Room()
        self.ears: dict[str, Ear] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.playing: dict[str, asyncio.Task[None]] = {}
        self._listen_to_events()

    # commands

    async def connect(self, url: str, token: str, timeout: float) -> dict[str, Any]:
        options = rtc.RoomOptions(auto_subscribe=True, connect_timeout=timeout)
        await asyncio.wait_for(self.room.connect(url, token, options), timeout)
        tell("connected", identity=self.room.local_participant.identity)
        for participant in self.room.remote_participants.values():
            tell("participant_connected", identity=participant.identity)
        return {"sid": self.room.local_participant.sid, "identity": self._identity}

    async def publish(self, source: str, kind: str, hz: float, timeout: float) -> dict[str, Any]:
        track, play = self._tone(hz) if kind == "AUDIO" else self._picture()
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.Value(f"SOURCE_{source}"))
        publishing = self.room.local_participant.publish_track(track, options)
        publication = await asyncio.wait_for(publishing, timeout)
        self.playing[publication.sid] = self._spawn(play)
        return {"sid": publication.sid}

    async def unpublish(self, sid: str) -> dict[str, Any]:
        await self.room.local_participant.unpublish_track(sid)
        return {}

    async def audio_from(self, identity: str) -> dict[str, Any]:
        ear = self.ears.get(identity, Ear())
        return {"frames": ear.frames, "rms": ear.rms}

    async def participants(self) -> dict[str, Any]:
        return {"participants": sorted(self.room.remote_participants)}

    async def token(self) -> dict[str, Any]:
        return {"token": getattr(self.room, "_token", "")}

    async def disconnect(self) -> dict[str, Any]:
        await self.room.disconnect()
        return {}

    # media

    def _tone(self, hz: float) -> tuple[rtc.LocalTrack, Any]:
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)

        async def play() -> None:
            step, phase = 2 * math.pi * hz / RATE, 0.0
            while True:
                samples = array(
                    "h", (int(AMPLITUDE * math.sin(phase + step * n)) for n in range(FRAME))
                )
                phase = math.fmod(phase + step * FRAME, 2 * math.pi)
                await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, FRAME))

        return rtc.LocalAudioTrack.create_audio_track("audio", source), play()

    def _picture(self) -> tuple[rtc.LocalTrack, Any]:
        source = rtc.VideoSource(WIDTH, HEIGHT)

        async def play() -> None:
            shade = 0
            while True:
                shade = (shade + 8) % 256
                data = bytes([shade, shade, shade, 255]) * (WIDTH * HEIGHT)
                frame = rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.RGBA, data)
                source.capture_frame(frame)
                await asyncio.sleep(0.1)

        return rtc.LocalVideoTrack.create_video_track("video", source), play()

    # events

    @property
    def _identity(self) -> str:
        return self.room.local_participant.identity

    def _listen_to_events(self) -> None:
        on = self.room.on
        on("participant_connected", lambda p: tell("participant_connected", identity=p.identity))
        on("participant_disconnected", self._participant_gone)
        on("track_published", lambda pub, p: tell_track("track_published", pub, p))
        on("track_unpublished", lambda pub, p: tell_track("track_unpublished", pub, p))
        on("track_subscribed", self._subscribed)
        on("track_unsubscribed", lambda t, pub, p: tell_track("track_unsubscribed", pub, p))
        on("local_track_unpublished", self._local_track_gone)
        on("participant_permissions_changed", self._permissions_changed)
        on("token_refreshed", lambda *_: tell("token_refreshed", token=self.room._token))
        on("reconnecting", lambda: tell("reconnecting"))
        on("reconnected", lambda: tell("reconnected"))
        on("disconnected", self._disconnected)

    def _participant_gone(self, participant: rtc.RemoteParticipant) -> None:
        self.ears.pop(participant.identity, None)
        tell("participant_disconnected", identity=participant.identity)

    def _subscribed(
        self, track: rtc.Track, publication: rtc.TrackPublication, who: rtc.RemoteParticipant
    ) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            ear = self.ears.setdefault(who.identity, Ear())
            self._spawn(ear.listen(track))
        tell_track("track_subscribed", publication, who)

    def _local_track_gone(self, publication: rtc.LocalTrackPublication) -> None:
        playing = self.playing.pop(publication.sid, None)
        if playing is not None:
            playing.cancel()
        tell("local_track_unpublished", sid=publication.sid)

    def _permissions_changed(self, who: rtc.Participant, permission: Any = None) -> None:
        permission = permission or who.permissions
        tell(
            "permissions_changed",
            identity=who.identity,
            can_publish=permission.can_publish,
            can_subscribe=permission.can_subscribe,
        )

    def _disconnected(self, reason: Any) -> None:
        for playing in self.playing.values():
            playing.cancel()
        tell("disconnected", reason=rtc.DisconnectReason.Name(reason))

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def tell(event: str, **facts: Any) -> None:
    say(event=event, **facts)


def tell_track(event: str, publication: Any, participant: Any) -> None:
    tell(
        event,
        identity=participant.identity,
        sid=publication.sid,
        source=rtc.TrackSource.Name(publication.source).removeprefix("SOURCE_"),
    )


async def obey(client: Client, command: dict[str, Any]) -> None:
    number, name = command.pop("id"), command.pop("do")
    try:
        say(answer=number, error=None, **await getattr(client, name)(**command))
    except TimeoutError:
        say(answer=number, error=f"{name} timed out")
    except Exception as error:
        say(answer=number, error=str(error) or type(error).__name__)


async def main() -> None:
    client = Client()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell("ready")
    while line := await reader.readline():
        client._spawn(obey(client, json.loads(line)))


if __name__ == "__main__":
    asyncio.run(main())
