"""Who exists: the chat product's users, guilds, roles, members and channels, as it tells us."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from fluxer.snowflakes import SnowflakeKey


def _ids() -> "ArrayField[list[int], list[int]]":
    return ArrayField(models.BigIntegerField(), default=list, blank=True)


class User(models.Model):
    """A person or bot of the chat product. Never staff: those are Django's own users."""

    id = SnowflakeKey(primary_key=True)
    username = models.CharField(max_length=64)
    display_name = models.CharField(max_length=64, blank=True, default="")
    is_claimed = models.BooleanField(default=True)
    is_bot = models.BooleanField(default=False)

    # Django REST framework asks these of whoever `request.user` is.
    is_authenticated = True
    is_anonymous = False

    def __str__(self) -> str:
        return f"{self.username} ({self.pk})"


class Guild(models.Model):
    """A community. Its @everyone role has the guild's id."""

    id = SnowflakeKey(primary_key=True)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="owned_guilds")
    features = ArrayField(models.CharField(max_length=64), default=list, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"


class Role(models.Model):
    """A named permission mask of a guild."""

    id = SnowflakeKey(primary_key=True)
    guild = models.ForeignKey(Guild, on_delete=models.CASCADE, related_name="roles")
    name = models.CharField(max_length=100)
    permissions = models.BigIntegerField(default=0, validators=[MinValueValidator(0)])
    position = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(permissions__gte=0), name="role_mask_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"


class Member(models.Model):
    """A user in a guild. Mute and deaf live here, so that they outlast a visit to voice."""

    guild = models.ForeignKey(Guild, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role_ids = _ids()
    nick = models.CharField(max_length=64, blank=True, default="")
    mute = models.BooleanField(default=False)
    deaf = models.BooleanField(default=False)
    timed_out_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["guild", "user"], name="member_once_a_guild"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.guild_id}"


class ChannelType(models.IntegerChoices):
    """Discord's numbers. Only the three with voice can be joined."""

    GUILD_TEXT = 0, "guild text"
    DM = 1, "DM"
    GUILD_VOICE = 2, "guild voice"
    GROUP_DM = 3, "group DM"
    GUILD_CATEGORY = 4, "guild category"
    GUILD_ANNOUNCEMENT = 5, "guild announcement"
    GUILD_STAGE_VOICE = 13, "guild stage"
    GUILD_FORUM = 15, "guild forum"


CALL_TYPES = (ChannelType.DM, ChannelType.GROUP_DM)
VOICE_TYPES = (ChannelType.GUILD_VOICE, *CALL_TYPES)
LIMITS = {
    "bitrate": (8000, 384000),
    "user_limit": (0, 99),
    "voice_connection_limit": (1, 100),
}


def _limit(name: str, default: int) -> "models.IntegerField[int, int]":
    least, most = LIMITS[name]
    validators = [MinValueValidator(least), MaxValueValidator(most)]
    return models.IntegerField(default=default, validators=validators)


class Channel(models.Model):
    """A channel. Its row lock is the lock of the voice room, whatever the pin does."""

    id = SnowflakeKey(primary_key=True)
    type = models.SmallIntegerField(choices=ChannelType.choices)
    guild = models.ForeignKey(
        Guild, null=True, blank=True, on_delete=models.CASCADE, related_name="channels"
    )
    recipient_ids = _ids()
    name = models.CharField(max_length=100, blank=True, default="")
    bitrate = _limit("bitrate", 64000)
    user_limit = _limit("user_limit", 0)
    voice_connection_limit = _limit("voice_connection_limit", 5)
    rtc_region = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 null = automatic
    overwrites = models.JSONField(default=list, blank=True)

    class Meta:
        indexes = [GinIndex(fields=["recipient_ids"], name="channel_recipients")]
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=[int(kind) for kind in CALL_TYPES], guild=None)
                | (~Q(type__in=[int(kind) for kind in CALL_TYPES]) & Q(guild__isnull=False)),
                name="channel_of_guild_or_call",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__gte": least, f"{name}__lte": most}),
                    name=f"channel_{name}_in_range",
                )
                for name, (least, most) in LIMITS.items()
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.get_type_display()} ({self.pk})"

    @property
    def is_call(self) -> bool:
        """A DM or group DM."""
        return self.type in CALL_TYPES

    @property
    def has_voice(self) -> bool:
        """Of a kind that can be joined."""
        return self.type in VOICE_TYPES


class RightsChange(models.Model):
    """Whose rights may have changed; written with the change, drained later, deleted last."""

    class Scope(models.TextChoices):
        USER = "user"  # id = user
        GUILD = "guild"  # id = guild: its roles, owner or features
        MEMBER = "member"  # id = user, in guild_id
        CHANNEL = "channel"  # id = channel: its overwrites or recipients

    scope = models.CharField(max_length=8, choices=Scope.choices)
    subject_id = models.BigIntegerField()
    guild_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.scope} {self.subject_id}"
