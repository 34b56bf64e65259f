"""The accounts of staff: Django's own, but that none takes the history with it."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest

from fluxer.staff.words import many

admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Who did something stays, for the history that tells of it."""
        listed, counts, lacking, protected = super().get_deleted_objects(objs, request)
        if done := LogEntry.objects.filter(user__in=list(objs)).count():
            told = many(done, "entry", "entries")
            keep = f"{told} of the admin's history. They stay: make the account inactive instead."
            lacking, protected = set(), [keep]
        return listed, counts, lacking, protected
