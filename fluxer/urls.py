"""Where everything is."""

from django.contrib import admin
from django.urls import include, path, register_converter
from django.views.generic import RedirectView

from fluxer import health, metrics, pages, schema
from fluxer.snowflakes import SnowflakeConverter

register_converter(SnowflakeConverter, "snowflake")

urlpatterns = [
    path("", pages.index, name="index"),
    path("docs", pages.docs, name="docs"),
    path("schema", schema.schema, name="schema"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("", include("fluxer.directory.urls")),
    path("", include("regions.urls")),
    path("", include("voice.urls")),
]

handler400 = "fluxer.requests.bad_request"
handler403 = "fluxer.requests.permission_denied"
handler404 = "fluxer.requests.page_not_found"
handler500 = "fluxer.requests.server_error"
