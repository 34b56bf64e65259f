"""LiveKit's many failures, as our two: what was asked for is gone, or nobody can say."""

from __future__ import annotations

import errno

import aiohttp


class LiveKitError(Exception):
    """A call to LiveKit that did not do what was asked. Its text holds no secret and no token."""


class LiveKitGone(LiveKitError):
    """LiveKit says that the room or participant does not exist. To a removal, that is success."""


class LiveKitUnavailable(LiveKitError):
    """Any other failure: the call may or may not have been carried out. `status`: it answered."""

    def __init__(self, message: str, *, timed_out: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.status = status


class LiveKitNotAsked(LiveKitUnavailable):
    """This process was too busy to ask: that says nothing of the server."""


def unavailable(error: BaseException, *, method: str, timeout: float) -> LiveKitUnavailable:
    """What a failure of the transport is called.

    Only its kind is told: errors of the HTTP client carry our request, with the token in it, and
    LiveKit's own texts quote tokens too."""
    if isinstance(error, TimeoutError) or _errno(error) == errno.ETIMEDOUT:
        message = f"LiveKit did not answer {method} within {timeout:.3g} s"
        return LiveKitUnavailable(message, timed_out=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        return LiveKitUnavailable("LiveKit cannot be reached")
    return LiveKitUnavailable(f"LiveKit broke off {method} ({type(error).__name__})")


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None
