from django.apps import AppConfig


class RegionsConfig(AppConfig):
    name = "regions"
    verbose_name = "Voice regions"

    def ready(self) -> None:
        from regions import access, checks  # noqa: F401
