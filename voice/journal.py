"""Every decision about who is where: one line in the log and one more in the count, after commit.

Uniform, so that a machine can follow one connection through them. What was rolled back was never
decided, and is not told.
"""

import logging
from functools import partial
from typing import Any

from django.db import transaction

from fluxer import counters

log = logging.getLogger("voice.journal")

# As short as they are in a line.
_SHORT = {
    "connection_id": "connection",
    "user_id": "user",
    "channel_id": "channel",
    "guild_id": "guild",
    "actor_id": "by",
}


def tell(decision: str, *, reason: str = "", **about: Any) -> None:
    """Say what was decided: seated, joined, returned, moved, ended, removed, pinned, unpinned,
    failed_over, or what the audit calls it.

    `about` is what is known of connection_id, user_id, channel_id, guild_id, server, and of who
    did it.
    """
    said = {name: value for name, value in about.items() if value is not None}
    transaction.on_commit(partial(_write, decision, reason, said), robust=True)


def _write(decision: str, reason: str, about: dict[str, Any]) -> None:
    counters.decisions.labels(decision, reason).inc()
    words = [f"{_SHORT.get(name, name)}={value}" for name, value in about.items()]
    if reason:
        words.append(f"reason={reason}")
    extra = {"decision": decision, "reason": reason, **about}
    log.info("%s %s", decision, " ".join(words), extra=extra)
