"""What can go wrong in voice."""

from typing import Any

from fluxer.errors import FluxerError


class VoiceChannelFull(FluxerError):
    code, status = "VOICE_CHANNEL_FULL", 400
    message = "Voice channel is full"


class InvalidChannelType(FluxerError):
    code, status = "INVALID_CHANNEL_TYPE", 400
    message = "This is not a voice channel, DM or group DM"


class UnclaimedAccountCannotJoinOneOnOneVoiceCalls(FluxerError):
    code, status = "UNCLAIMED_ACCOUNT_CANNOT_JOIN_ONE_ON_ONE_VOICE_CALLS", 400
    message = "Claim your account to join one-on-one calls"


class UnclaimedAccountCannotJoinVoiceChannels(FluxerError):
    code, status = "UNCLAIMED_ACCOUNT_CANNOT_JOIN_VOICE_CHANNELS", 400
    message = "Claim your account to join the voice channels of others"


class VoiceConnectionLimitReached(FluxerError):
    code, status = "VOICE_CONNECTION_LIMIT_REACHED", 400
    message = "You are in this channel with as many devices as it allows; leave with one first"


class UserNotInVoice(FluxerError):
    code, status = "USER_NOT_IN_VOICE", 400
    message = "The user is not in voice here"


class VoiceMemberTimedOut(FluxerError):
    code, status = "VOICE_MEMBER_TIMED_OUT", 403
    message = "You are timed out in this guild"


class VoiceConnectionNotFound(FluxerError):
    code, status = "VOICE_CONNECTION_NOT_FOUND", 404
    message = "This is not a live connection of yours here; ask without connection_id to join anew"


class UnknownVoiceState(FluxerError):
    code, status = "UNKNOWN_VOICE_STATE", 404
    message = "There is no such voice state"

    def __init__(self, *, reason: str | None = None) -> None:
        super().__init__()
        self.reason = reason

    def body(self) -> dict[str, Any]:
        """`reason` says why a connection ended, while that is remembered."""
        return super().body() | ({"reason": self.reason} if self.reason else {})


class VoiceServerError(FluxerError):
    code, status = "VOICE_SERVER_ERROR", 502
    message = "The voice server did not answer"

    def __init__(self, *, error_code: str = "LIVEKIT_UNAVAILABLE", retryable: bool = True) -> None:
        super().__init__()
        self.error_code, self.retryable = error_code, retryable

    def body(self) -> dict[str, Any]:
        """An error is never an empty list: it says so in the words of a result."""
        result = {"status": "error", "error_code": self.error_code, "retryable": self.retryable}
        return super().body() | result


class FeatureTemporarilyDisabled(FluxerError):
    code, status = "FEATURE_TEMPORARILY_DISABLED", 503
    message = "Feature is temporarily disabled"
    retry_after = 5
