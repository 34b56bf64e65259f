"""The faults at full length, in the order in which they are tried: what happens, what must hold,
and the function that brings it about. It returns its figures, or raises Broken."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults import soak_clients, soak_livekit, soak_ours, soak_stores
from tests.faults.world import World

FAULTS: list[tuple[str, str, Callable[[World], str]]] = [
    (
        "a client is killed (-9); webhooks work / are all lost",
        "gone from the states in 30 s / 60 s",
        soak_clients.client_killed,
    ),
    (
        "tokens made by hand: a stranger; a room that we never made; hidden, without a webhook",
        "out in 2 s; 2 s; one sweep",
        soak_clients.intruder,
    ),
    (
        "a client has no network for 40 s",
        "back as the same connection, with its flags",
        soak_clients.without_network,
    ),
    (
        "LiveKit is killed and restarted at once",
        "who asks is in the remade room; ghosts go in 60 s",
        soak_livekit.restarted,
    ),
    (
        "all calls to a LiveKit server hang, 200 rooms are due on it",
        "a kick on another server takes effect in 2 s",
        soak_livekit.hanging,
    ),
    (
        "the network to LiveKit is split for 40 s, then heals",
        "nobody is removed; the room that moved is emptied in one probe and one sweep",
        soak_livekit.split,
    ),
    ("LiveKit answers with empty lists once", "nobody is removed", soak_livekit.empty_list),
    (
        "LiveKit's lists fail, hang and answer 500 for 5 minutes",
        "nobody is removed; afterwards all is settled, a ghost made meanwhile in 60 s",
        soak_livekit.failing_lists,
    ),
    (
        "a worker is killed in the middle of a region change of 50",
        "the next one finishes; a newcomer stays",
        soak_ours.region_change,
    ),
    (
        "web is killed (-9) between a commit and what follows it",
        "settled by beat",
        soak_ours.web_killed,
    ),
    ("two beats, two workers, two sweeps at once", "the same as one", soak_ours.two_of_each),
    (
        "Redis is emptied, silent for a minute, then killed (-9) and back, empty, after a minute",
        "the API answers in 2 s, limits let everything through; nothing is lost",
        soak_stores.redis_away,
    ),
    (
        "PostgreSQL is killed (-9) and restarted, while a kick waits for LiveKit",
        "503 and Retry-After while it is away, webhooks 5xx; nothing that was acknowledged is lost",
        soak_stores.postgres_killed,
    ),
    (
        "LiveKit is killed for good, another server is up",
        "noticed in 30 s; the next token works; seats are kept for 120 s",
        soak_livekit.killed_for_good,
    ),
]
