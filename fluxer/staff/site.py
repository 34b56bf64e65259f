"""The admin's pages together: what no table could hold is refused before any of them."""

from collections.abc import Iterator
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse


class SoundSite(AdminSite):
    """Every page of it answers input that PostgreSQL does not take with 400."""

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """A page for staff. 400 for text or numbers that PostgreSQL does not take."""

        @wraps(view)
        def sound(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if any("\x00" in text for text in _texts(request)):
                raise BadRequest("Text with a NUL in it")
            try:
                answer: HttpResponse = view(request, *args, **kwargs)
                return answer
            except (DataError, OverflowError) as error:
                raise BadRequest("A value that its column cannot hold") from error

        return super().admin_view(sound, cacheable)


def _texts(request: HttpRequest) -> Iterator[str]:
    yield request.path_info
    for given in (request.GET, request.POST):
        for name, values in given.lists():
            yield name
            yield from map(str, values)
