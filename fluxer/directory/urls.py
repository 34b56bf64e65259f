"""The routes of the directory."""

from django.urls import path

from fluxer.directory import viewsets
from fluxer.service import COLLECTION, ITEM

_GUILD = "service/guilds/<snowflake:guild_id>"

urlpatterns = [
    path("service/batch", viewsets.BatchViewSet.as_view({"post": "create"})),
    *(
        route
        for collection, key, viewset in (
            ("service/users", "user_id", viewsets.UserViewSet),
            ("service/guilds", "guild_id", viewsets.GuildViewSet),
            (f"{_GUILD}/roles", "role_id", viewsets.RoleViewSet),
            (f"{_GUILD}/members", "user_id", viewsets.MemberViewSet),
            ("service/channels", "channel_id", viewsets.ChannelViewSet),
        )
        for route in (
            path(collection, viewset.as_view(COLLECTION)),
            path(f"{collection}/<snowflake:{key}>", viewset.as_view(ITEM)),
        )
    ),
]
