"""What people do in the fault tests, in a word."""

from tests.voice.scene import GUILD, Caller
from voice.models import VoiceState


def kick(moderator: Caller, user_id: int) -> None:
    """Out of voice, by a moderator."""
    answer = moderator.patch(f"/guilds/{GUILD}/members/{user_id}", {"channel_id": None})
    assert answer.status_code == 200, answer.content


def connection_of(user_id: int) -> str:
    """The one connection that somebody has."""
    return str(VoiceState.objects.get(user_id=user_id).pk)


def renewed(caller: Caller, channel_id: int) -> dict[str, str]:
    """Another token for the connection that they have."""
    return caller.token(channel_id, connection_id=connection_of(caller.user_id))
