"""The admin's pages together: what no table could hold is refused on each of them."""

from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse


class SoundSite(AdminSite):
    """Every page of it answers input that PostgreSQL does not take with 400."""

    def has_permission(self, request: HttpRequest) -> bool:
        """May they be here? 400 for a session cookie that no session can have."""
        try:
            return super().has_permission(request)
        except DataError as error:
            raise BadRequest("That is no session") from error

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """A page for staff. 400 for text or numbers that PostgreSQL does not take."""

        @wraps(view)
        def sound(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                answer: HttpResponse = view(request, *args, **kwargs)
                return answer
            except (DataError, OverflowError) as error:
                raise BadRequest("A value that its column cannot hold") from error

        return super().admin_view(sound, cacheable)
