"""The routes of regions."""

from django.urls import path, register_converter

from fluxer.service import COLLECTION, ITEM
from regions import viewsets
from regions.models import SLUG


class SlugConverter:
    """`<place:region_id>`: what cannot be the id of a region or server is a 404."""

    regex = SLUG.strip("^$")

    def to_python(self, text: str) -> str:
        return text

    def to_url(self, value: str) -> str:
        return value


register_converter(SlugConverter, "place")

_SERVER = "service/regions/<place:region_id>/servers/<place:server_id>"

urlpatterns = [
    path("voice/regions", viewsets.VoiceRegionsView.as_view()),
    path("guilds/<snowflake:guild_id>/regions", viewsets.GuildRegionsView.as_view()),
    path("channels/<snowflake:channel_id>/rtc-regions", viewsets.ChannelRegionsView.as_view()),
    path("service/regions", viewsets.RegionViewSet.as_view(COLLECTION)),
    path("service/regions/<place:region_id>", viewsets.RegionViewSet.as_view(ITEM)),
    path("service/regions/<place:region_id>/servers", viewsets.ServerViewSet.as_view(COLLECTION)),
    path(_SERVER, viewsets.ServerViewSet.as_view(ITEM)),
    *(
        path(f"{_SERVER}/{verb}", viewsets.ServerViewSet.as_view({"post": verb}))
        for verb in ("drain", "restore", "probe")
    ),
]
