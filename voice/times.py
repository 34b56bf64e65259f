"""Moments in words, for people."""

from datetime import datetime


def age(then: datetime, now: datetime) -> float:
    """Seconds from then to now."""
    return (now - then).total_seconds()


def moment(at: datetime | None) -> str:
    """To the second, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "some time"


def since(at: datetime | None) -> str:
    """How long something has not been."""
    return f"since {moment(at)}" if at else "at all"
