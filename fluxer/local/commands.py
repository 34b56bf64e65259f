"""The processes of the project itself, as production runs them: web, worker, beat."""

import os
from collections.abc import Sequence
from pathlib import Path

from fluxer.local.place import Place
from fluxer.local.ports import HOST
from fluxer.serve import CELERY, command

__all__ = ["CELERY", "beat", "web", "worker"]


def web(port: int) -> Sequence[str]:
    return command("web", {**os.environ, "HOST": HOST, "PORT": str(port)})


def worker() -> Sequence[str]:
    return command("worker", os.environ)


def beat(place: Place) -> Sequence[str | Path]:
    return command("beat", {**os.environ, "TMPDIR": str(place.root)})
