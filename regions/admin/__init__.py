"""Regions and servers for staff: the same verbs as in the API; the secret goes in, never out."""

from regions.admin import regions, servers

__all__ = ["regions", "servers"]
