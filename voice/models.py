"""Who is in which room, and what LiveKit must still be made to do. PostgreSQL is the truth."""

import uuid

from django.db import models
from django.db.models import F, Q

from fluxer.directory.models import Channel, User
from regions.models import Server


class RoomPin(models.Model):
    """Which server a channel's room lives on. Written by `voice.pins` only."""

    channel = models.OneToOneField(
        Channel, primary_key=True, on_delete=models.PROTECT, related_name="pin"
    )
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="pins")
    pinned_at = models.DateTimeField()
    made_at = models.DateTimeField(help_text="When LiveKit last showed that it has the room.")
    expires_at = models.DateTimeField(null=True, help_text="Null while anybody is in.")

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], name="pin_expiry", condition=~Q(expires_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.channel_id} on {self.server_id}"


class Connection(models.Model):
    """What a connection is, alive or remembered: flags, version and decided rights."""

    session = models.CharField(max_length=64)
    self_mute = models.BooleanField(default=False)
    self_deaf = models.BooleanField(default=False)
    self_video = models.BooleanField(default=False)
    self_stream = models.BooleanField(default=False)
    version = models.BigIntegerField(default=1)

    # Decided by us, followed by LiveKit.
    mute = models.BooleanField(default=False)
    deaf = models.BooleanField(default=False)
    suppress = models.BooleanField(default=False)
    can_speak = models.BooleanField(default=True)
    can_stream = models.BooleanField(default=True)
    can_video = models.BooleanField(default=True)

    # The back end's word for this connection's life; null: what the permissions say.
    override_mute = models.BooleanField(null=True)
    override_deaf = models.BooleanField(null=True)
    override_speak = models.BooleanField(null=True)
    override_stream = models.BooleanField(null=True)
    override_video = models.BooleanField(null=True)

    # A moderator moved them in, and gave what the moderator had.
    admitted = models.BooleanField(default=False)
    admitted_speak = models.BooleanField(default=False)
    admitted_stream = models.BooleanField(default=False)

    # LiveKit's latest visit under this identity.
    participant_sid = models.CharField(max_length=64, blank=True, default="")
    joined_at_ms = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class VoiceState(Connection):
    """A connection that has a seat or is in. Written by `voice.states` only."""

    connection_id = models.CharField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="voice_states")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="voice_states")
    server = models.ForeignKey(
        Server, null=True, on_delete=models.PROTECT, related_name="voice_states"
    )
    token_nonce = models.UUIDField(null=True)
    seat_until = models.DateTimeField(null=True, help_text="A reserved seat; null once joined.")
    joined_at = models.DateTimeField(null=True)
    room_sid = models.CharField(max_length=64, blank=True, default="")
    gone_sid = models.CharField(
        max_length=64, blank=True, default="", help_text="A leave that came before its join."
    )
    gone_joined_at_ms = models.BigIntegerField(default=0)
    missing_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        permissions = [("moderate", "Can mute people, put them out, and move rooms")]
        constraints = [
            models.UniqueConstraint(fields=["user", "session"], name="state_once_a_session"),
            models.CheckConstraint(
                condition=Q(joined_at=None, seat_until__isnull=False, participant_sid="")
                | (
                    Q(joined_at__isnull=False, seat_until=None, server__isnull=False)
                    & ~Q(participant_sid="")
                ),
                name="state_seat_or_joined",
            ),
        ]
        indexes = [
            models.Index(
                fields=["seat_until"], name="state_seat_end", condition=~Q(seat_until=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} in {self.channel_id}"


class EndReason(models.TextChoices):
    """Why a connection ended, as its client is told."""

    LEFT = "left"
    DISCONNECTED = "disconnected"
    NO_ACCESS = "no_access"
    REGION_CHANGED = "region_changed"
    REPLACED = "replaced"
    CHANNEL_DELETED = "channel_deleted"
    LOST = "lost"
    EXPIRED = "expired"


class EndedConnection(Connection):
    """What is remembered of a connection that ended. Plain ids: it outlives what they name."""

    connection_id = models.CharField(primary_key=True, max_length=32)
    user_id = models.BigIntegerField()
    channel_id = models.BigIntegerField()
    server_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=16, choices=EndReason.choices)
    replaced_by = models.CharField(max_length=32, blank=True, default="")
    may_return_until = models.DateTimeField(null=True, help_text="Null: it never returns.")
    ended_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["ended_at"], name="ended_at"),
            models.Index(fields=["channel_id"], name="ended_channel"),
            models.Index(fields=["user_id"], name="ended_user"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.reason}"


class DueRoom(models.Model):
    """A room to be compared with LiveKit, written with whatever made that necessary."""

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="due_rooms")
    room = models.CharField(max_length=256)
    due_at = models.DateTimeField()
    urgent_since = models.DateTimeField(null=True, help_text="Null: one of many, or a second look.")
    mark = models.UUIDField(default=uuid.uuid4)
    leased_until = models.DateTimeField(null=True, help_text="A worker is at it.")
    attempts = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(F("server"), F("room"), name="due_room_once"),
        ]
        indexes = [models.Index(fields=["due_at"], name="due_room_at")]

    def __str__(self) -> str:
        return f"{self.room} on {self.server_id}"


class Sweep(models.Model):
    """Whose turn it is to compare a server with us. Written by `voice.turns` only."""

    server = models.OneToOneField(
        Server, primary_key=True, on_delete=models.CASCADE, related_name="sweep"
    )
    leased_until = models.DateTimeField()
    swept_at = models.DateTimeField(null=True, help_text="The last one that saw everything.")

    def __str__(self) -> str:
        return f"sweep of {self.server_id}"


class Sample(models.Model):
    """Voice in one minute, for the last day's curve. Written by `voice.samples` only."""

    minute = models.DateTimeField(primary_key=True)
    taken_at = models.DateTimeField(null=True, help_text="Null: nobody has counted yet.")
    connected = models.PositiveIntegerField(default=0)
    seats = models.PositiveIntegerField(default=0)
    rooms = models.PositiveIntegerField(default=0)
    strangers = models.PositiveIntegerField(default=0, help_text="Removed; nobody knew them.")

    def __str__(self) -> str:
        return f"{self.minute:%F %H:%M}"


class Heartbeat(models.Model):
    """When beat, or a worker of a queue, last lived. Written by `voice.heartbeats` only."""

    name = models.CharField(primary_key=True, max_length=16, help_text="beat, or a queue.")
    heard_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.heard_at:%F %T}"


class AuditEntry(models.Model):
    """Who did what to whom, where and why."""

    guild_id = models.BigIntegerField(null=True)
    actor_id = models.BigIntegerField(null=True, help_text="Null: the back end or staff.")
    actor = models.CharField(max_length=160, help_text="user, service, or staff and their name")
    action = models.CharField(max_length=32)
    target_id = models.BigIntegerField(null=True)
    channel_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=512, blank=True, default="")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["guild_id", "-id"], name="audit_of_guild")]

    def __str__(self) -> str:
        return f"{self.action} {self.target_id}"
