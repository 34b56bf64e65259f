"""Voice for staff: who is where, on which server, and what can be done about it."""

from django.contrib import admin

from voice.admin import connections, directory, places, records, rooms, servers

__all__ = ["connections", "directory", "places", "records", "rooms", "servers"]

admin.site.site_header = admin.site.site_title = "Fluxer voice"
admin.site.index_title = "Voice"
admin.site.disable_action("delete_selected")
