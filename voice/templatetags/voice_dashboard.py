"""What the admin's first page asks for."""

from datetime import datetime
from typing import Any

from django import template

from fluxer.staff import words
from voice import dashboard

register = template.Library()


@register.simple_tag(takes_context=True)
def voice_dashboard(context: dict[str, Any]) -> dict[str, Any] | None:
    """Voice now, for who may see it."""
    return dashboard.read(context["request"].user)


@register.filter
def ago(moment: datetime | None) -> str:
    """How long ago."""
    return words.ago(moment)


@register.filter
def span(seconds: float) -> str:
    """A stretch of time."""
    return words.span(seconds)
