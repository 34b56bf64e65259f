"""A storm that was none is not taken for one that went well."""

from typing import Any

import pytest

from tests.livekit.fake import FakeLiveKit
from tests.storm.strength import Weather, lacks, visits
from tests.voice.scene import Caller

STRONG: dict[str, Any] = {
    "acts": 1000,
    "answers": {"200": 500, "403 MISSING_PERMISSIONS": 100, "join refused 404": 90},
    "visited": {"joined": 200, "ended": 150},
    "webhooks": {"made": 600, "dropped": 60, "doubled": 60, "delayed": 60},
}
CALM: dict[str, Any] = {
    "acts": 0,
    "answers": {},
    "visited": {"joined": 0, "ended": 0},
    "webhooks": {"made": 0, "dropped": 0, "doubled": 0, "delayed": 0},
}


def test_a_storm_that_is_one_lacks_nothing() -> None:
    assert lacks(**STRONG) == []


def test_when_nothing_happens_everything_is_lacking() -> None:
    assert len(lacks(**CALM)) == 6


@pytest.mark.parametrize(
    ("what", "weakened", "line"),
    [
        ("answers", {"200": 20, "403 X": 500}, "only 20 of 520 answers granted anything"),
        ("answers", {"200": 500, "503 X": 90}, "90 of 590 answers were 503"),
        ("visited", {"joined": 9, "ended": 150}, "only 9 connections joined in 1000 acts"),
        ("visited", {"joined": 200, "ended": 9}, "only 9 connections ended in 1000 acts"),
        *(
            ("webhooks", {**STRONG["webhooks"], word: 2}, f"only 2 of 600 webhooks were {word}")
            for word in ("dropped", "doubled", "delayed")
        ),
    ],
)
def test_what_a_weak_storm_lacks_is_said(what: str, weakened: dict[str, int], line: str) -> None:
    assert lacks(**{**STRONG, what: weakened}) == [line]


def test_who_came_and_went_is_counted(west: FakeLiveKit, alice: Caller, bob: Caller) -> None:
    west.join(alice.token()["token"])
    west.join(bob.token()["token"]).leave()

    assert visits() == {"joined": 2, "ended": 1}


def test_the_weather_is_counted(west: FakeLiveKit) -> None:
    weather = Weather([west])
    for number in range(300):  # one webhook each
        west.rooms.create(f"room-{number}", empty=60, departure=60, metadata="")

    seen = weather.seen()
    west.webhooks.deliver(late_ones_too=True)
    assert seen["made"] == 300
    assert min(seen["dropped"], seen["doubled"], seen["delayed"]) > 0
    assert len(west.sent) == 300 - seen["dropped"]
    assert sum(len(one.statuses) for one in west.sent) == len(west.sent) + seen["doubled"]
