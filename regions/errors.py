"""What can be wrong with a place for voice."""

from fluxer.errors import FluxerError


class UnknownVoiceRegion(FluxerError):
    code, status = "UNKNOWN_VOICE_REGION", 404
    message = "Invalid or unavailable region"


class UnknownVoiceServer(FluxerError):
    code, status = "UNKNOWN_VOICE_SERVER", 404
    message = "Unknown voice server"
