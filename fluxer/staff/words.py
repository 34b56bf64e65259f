"""How lists say times and numbers."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

NOTHING = "-"


def span(seconds: float) -> str:
    """A stretch of time in its largest unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def ago(moment: datetime | None) -> SafeString | str:
    """How long ago, or until when; the exact time is in the title."""
    if moment is None:
        return NOTHING
    seconds = (timezone.now() - moment).total_seconds()
    text = f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"
    return format_html('<time datetime="{0}" title="{0}">{1}</time>', f"{moment:%FT%TZ}", text)


def many(number: int, noun: str, plural: str = "") -> str:
    """1 room, 2 rooms."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def badge(kind: str, text: Any) -> SafeString:
    """A word in a colour; the word is there for those who see none."""
    return format_html('<span class="voice-badge voice-{}">{}</span>', kind, text)
