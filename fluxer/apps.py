from django.apps import AppConfig


class FluxerConfig(AppConfig):
    name = "fluxer"
    verbose_name = "Fluxer"

    def ready(self) -> None:
        from fluxer import checks  # noqa: F401
