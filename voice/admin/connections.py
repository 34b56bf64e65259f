"""The connections for staff: who has a seat, who is in, and how to put them out."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from fluxer.staff.actions import Action
from fluxer.staff.pages import LookPage
from fluxer.staff.words import ago, many
from voice import overrides, participants
from voice.admin.rooms import MODERATE
from voice.audit import Actor
from voice.errors import UserNotInVoice
from voice.models import VoiceState


def _people(rows: Any) -> str:
    return many(len({row.user_id for row in rows}), "person", "people")


class Disconnect(Action):
    name, label, needs = "disconnect", "Disconnect", (MODERATE,)

    def question(self, rows: Any) -> str:
        told = f"This ends {many(len(rows), 'connection')} of {_people(rows)}, at once."
        return f"{told} They may join again."

    def effect(self, row: VoiceState) -> str:
        return str(row.user)

    def do(self, row: VoiceState, *, by: str, values: Any) -> str:
        ended = participants.disconnect_participant(
            channel_id=row.channel_id, user_id=row.user_id, connection_id=row.pk, by=Actor(by)
        )
        if not ended:
            raise UserNotInVoice
        return f"{row.user} is out"


class Silence(Action):
    needs = (MODERATE,)

    def __init__(self, *, mute: bool) -> None:
        self.mute = mute
        self.name = "server_mute" if mute else "server_unmute"
        self.label = "Server-mute" if mute else "Lift server-mute"

    def question(self, rows: Any) -> str:
        word = "silences" if self.mute else "lets speak again"
        told = f"This {word} {_people(rows)}: in a guild wherever they are in it,"
        return f"{told} until that is changed; in a call for this connection."

    def effect(self, row: VoiceState) -> str:
        return str(row.user)

    def do(self, row: VoiceState, *, by: str, values: Any) -> str:
        overrides.update_participant(
            channel_id=row.channel_id,
            user_id=row.user_id,
            connection_id=row.pk,
            words={"mute": self.mute},
            by=Actor(by),
        )
        return f"{row.user} is {'muted' if self.mute else 'not muted any more'}"


@admin.register(VoiceState)
class VoiceStateAdmin(LookPage):
    verbs = (Disconnect(), Silence(mute=True), Silence(mute=False))
    list_display = ("connection_id", "user", "channel", "server", "state", "flags", "age")
    list_select_related = ("user", "channel", "server")
    list_filter = (
        ("joined_at", admin.EmptyFieldListFilter),
        ("missing_since", admin.EmptyFieldListFilter),
        "mute",
        "server__region",
        "server",
    )
    ids = ("user_id", "channel_id", "channel__guild_id")
    search_fields = ("connection_id__exact", "user__username")
    search_help_text = "The id of a connection, user, channel or guild, or a part of a user's name."
    ordering = ("-created_at",)

    @admin.display(ordering="joined_at")
    def state(self, state: VoiceState) -> str:
        if state.missing_since:
            return "missing at LiveKit"
        return "in" if state.joined_at else "has a seat"

    @admin.display(description="flags")
    def flags(self, state: VoiceState) -> str:
        names = ("mute", "deaf", "suppress", "self_mute", "self_deaf", "self_video", "self_stream")
        return ", ".join(name for name in names if getattr(state, name))

    @admin.display(ordering="created_at")
    def age(self, state: VoiceState) -> str:
        return ago(state.created_at)
