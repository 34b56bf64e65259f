"""The product's own settings, impatient: what takes minutes in life takes seconds here."""

from fluxer.settings import *  # noqa: F403

VOICE_TOKEN_TTL = 6.0
VOICE_TOKEN_LEEWAY = 0  # a seat ends with its token; LiveKit's own leeway stays
VOICE_PIN_TIMEOUT = 2.0
