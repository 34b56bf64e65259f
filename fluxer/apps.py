from django.apps import AppConfig


class FluxerConfig(AppConfig):
    name = "fluxer"
    verbose_name = "Fluxer"

    def ready(self) -> None:
        from fluxer import checks, counters, livekit  # noqa: F401

        if counters.livekit_called not in livekit.observers:
            livekit.observers.append(counters.livekit_called)
