from django.apps import AppConfig


class RegionsConfig(AppConfig):
    name = "regions"
    verbose_name = "Voice regions"

    def ready(self) -> None:
        from regions import checks  # noqa: F401
