"""Where voice can live: regions, and the LiveKit servers in them."""

from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from fluxer.livekit import LiveKitServer
from fluxer.secrets import SecretField, sealed

SLUG = r"^[a-z0-9][a-z0-9-]{0,63}$"
Address = tuple[str, int | None, str]  # host, port, path
_slug = RegexValidator(SLUG, "Use a-z, 0-9 and -, at most 64, beginning with a letter or digit.")


class Restricted(models.Model):
    """Who may use a place. All empty: everybody."""

    vip_only = models.BooleanField(default=False, help_text="Only guilds with VIP_VOICE.")
    required_guild_features = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text="Any one suffices."
    )
    allowed_guild_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    allowed_user_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)

    class Meta:
        abstract = True


class Region(Restricted):
    """A place with servers. At most one is the default."""

    id = models.CharField(primary_key=True, max_length=64, validators=[_slug])
    name = models.CharField(max_length=100)
    emoji = models.CharField(max_length=32, blank=True, default="")
    latitude = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)]
    )
    longitude = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)]
    )
    is_default = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="region_one_default"
            ),
            models.CheckConstraint(condition=Q(id__regex=SLUG), name="region_id_form"),
            models.CheckConstraint(
                condition=Q(latitude=None, longitude=None)
                | Q(
                    # Said outright: a check that comes out as NULL counts as passed.
                    latitude__isnull=False,
                    longitude__isnull=False,
                    latitude__range=(-90, 90),
                    longitude__range=(-180, 180),
                ),
                name="region_coordinates_in_pairs",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"


class Server(Restricted):
    """One LiveKit server, or one LiveKit cluster behind one address."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="servers")
    slug = models.CharField("id", max_length=64, validators=[_slug])
    endpoint = models.CharField(max_length=255, help_text="ws:// or wss://, for clients.")
    api_url = models.CharField(
        "API URL", max_length=255, blank=True, help_text="For our own calls; empty: the endpoint."
    )
    api_key = models.CharField("API key", max_length=255)
    api_secret = SecretField("API secret")  # opened where it is used, and not before
    soft_connection_limit = models.PositiveIntegerField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_draining = models.BooleanField(default=False)
    added_at = models.DateTimeField(db_default=Now(), editable=False)

    # Written by the probe and by those who saw a call fail (regions.health), never by hand.
    failures = models.PositiveIntegerField(default=0, editable=False)
    down_since = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    suspect_until = models.DateTimeField(null=True, editable=False)
    probed_at = models.DateTimeField(null=True, editable=False)
    probe_ms = models.FloatField(null=True, editable=False)
    last_error = models.CharField(max_length=200, blank=True, default="", editable=False)
    webhook_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("region_id", "slug")
        constraints = [
            models.UniqueConstraint(fields=["region", "slug"], name="server_once_a_region"),
            models.CheckConstraint(condition=Q(slug__regex=SLUG), name="server_id_form"),
            models.CheckConstraint(
                condition=Q(endpoint__regex=r"^wss?://[^/?#@\s]+(/[^?#@\s]*)?$"),
                name="server_endpoint_form",
            ),
            models.CheckConstraint(
                condition=Q(api_url="") | Q(api_url__regex=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$"),
                name="server_api_url_form",
            ),
            models.CheckConstraint(
                condition=Q(soft_connection_limit=None) | Q(soft_connection_limit__gte=1),
                name="server_soft_limit_positive",
            ),
        ]
        indexes = [models.Index(F("api_key"), name="server_by_key")]

    def __str__(self) -> str:
        return f"{self.region_id}/{self.slug}"

    @property
    def works(self) -> bool:
        """Active and not down: a room pinned here stays here."""
        return self.is_active and self.down_since is None

    @property
    def livekit(self) -> LiveKitServer:
        """What a call to this server needs."""
        return LiveKitServer(
            api_url=api_url_of(endpoint=self.endpoint, api_url=self.api_url),
            api_key=self.api_key,
            secret=sealed(self, "api_secret"),
        )

    @property
    def address(self) -> Address:
        """Where our calls end: two rows that share it are one LiveKit server."""
        return address_of(endpoint=self.endpoint, api_url=self.api_url)


def api_url_of(*, endpoint: str, api_url: str) -> str:
    """The http(s) address for our own calls, derived from the endpoint where none is given."""
    return api_url or "http" + endpoint.removeprefix("ws")


def address_of(*, endpoint: str, api_url: str) -> Address:
    """Host, port and path of the address for our own calls, however it is spelled."""
    url = urlsplit(api_url_of(endpoint=endpoint, api_url=api_url))
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return (url.hostname or "").rstrip("."), port, url.path.rstrip("/")
