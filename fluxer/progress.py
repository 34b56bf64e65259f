"""How far a command is: one line on a terminal, gone at the end, and nothing anywhere else."""

from django.core.management.base import OutputWrapper


class Progress:
    """Call it with the line to show; with an empty one there is none."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream

    def __call__(self, said: str) -> None:
        if self._stream.isatty():
            self._stream.write(f"\r\033[K{said}", ending="")
            self._stream.flush()
