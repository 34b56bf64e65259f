"""Which addresses a server may have."""

from __future__ import annotations

import pytest

from regions import addresses

WS, HTTP = ("wss", "ws"), ("https", "http")


def code(url: str, schemes: tuple[str, ...] = WS, allowed: tuple[str, ...] = ()) -> str | None:
    """What is wrong with the address; None: nothing."""
    try:
        addresses.require(url, schemes=schemes, allowed_hosts=allowed)
    except addresses.BadAddress as fault:
        return fault.code
    return None


@pytest.mark.parametrize(
    "url",
    [
        "wss://voice-us-west.fluxer.app",
        "ws://127.0.0.1:7880",
        "ws://livekit_1:7880/",
        "wss://voice.example.org:443/livekit/rtc",
        "wss://[2001:db8::1]:7880",
        "ws://10.0.0.1",
        "wss://voice.example.org.",
    ],
)
def test_plain_addresses_are_taken(url: str) -> None:
    assert code(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://voice.example.org", "invalid_scheme"),
        ("ftp://voice.example.org", "invalid_scheme"),
        ("WSS://voice.example.org", "invalid_url"),
        ("wss:voice.example.org", "invalid_url"),
        ("voice.example.org", "invalid_url"),
        ("wss://", "invalid_url"),
        ("wss://:7880", "invalid_url"),
        ("wss://..", "invalid_url"),
        ("wss://a b", "invalid_url"),
        ("wss://a\n", "invalid_url"),
        ("wss://voice.example.org\x00", "invalid_url"),
        ("wss://höst.example", "invalid_url"),
        ("wss://user@voice.example.org", "invalid_url"),
        ("wss://user:pass@voice.example.org", "invalid_url"),
        ("wss://voice.example.org?x=1", "invalid_url"),
        ("wss://voice.example.org/#", "invalid_url"),
        ("wss://voice.example.org\\@elsewhere", "invalid_url"),
        ("wss://voice.example.org:0", "invalid_port"),
        ("wss://voice.example.org:65536", "invalid_port"),
        ("wss://voice.example.org:", "invalid_url"),
        ("wss://voice.example.org:x", "invalid_url"),
        ("wss://[::1", "invalid_url"),
        ("wss://[1::2::3]", "invalid_url"),
        ("wss://" + "a" * 300, "invalid_url"),
    ],
)
def test_others_are_refused(url: str, fault: str) -> None:
    assert code(url) == fault


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.169.254.",
        "169.254.43518",
        "169.16689662",
        "2852039166",
        "0xa9fea9fe",
        "0XA9FEA9FE",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "025177524776",
        "[fe80::1]",
        "[febf::1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
    ],
)
@pytest.mark.parametrize("port", ["", ":80"])
def test_link_local_hosts_are_refused_however_they_are_spelled(host: str, port: str) -> None:
    assert code(f"http://{host}{port}", HTTP) == "link_local_host"


def test_only_the_allowed_hosts_where_some_are_named() -> None:
    allowed = ("voice.example.org", ".fluxer.app")
    for good in ("voice.example.org", "VOICE.example.org:7880", "a.fluxer.app", "fluxer.app"):
        assert code(f"wss://{good}", WS, allowed) is None
    for bad in ("voice.example.org.evil", "evil-fluxer.app", "127.0.0.1", "[::1]"):
        assert code(f"wss://{bad}", WS, allowed) == "host_not_allowed"
