"""Many changes at once: through the views of `/service`, in one transaction, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.urls import Resolver404, resolve
from rest_framework.request import Request

from fluxer.directory import changes
from fluxer.errors import FluxerError, InvalidFormBody, from_exception
from fluxer.service import ServiceViewSet

MOST = 1000


class Part(Request):
    """An element of a batch, as a view sees a request: its caller is the batch's."""

    def __init__(self, whole: Request, *, method: str, body: Any) -> None:
        super().__init__(whole._request)
        self.method = method
        self.user, self.auth = whole.user, whole.auth
        self._full_data = body


@dataclass(frozen=True)
class Operation:
    """What an element asks for: an action of a view, the ids in its path, its body."""

    index: int
    view: type[ServiceViewSet]
    action: str
    ids: Mapping[str, Any]
    method: str
    body: Any

    def run(self, whole: Request) -> int:
        """The status of the answer."""
        part = Part(whole, method=self.method, body=self.body)
        view = self.view(request=part, action=self.action, kwargs=self.ids, format_kwarg=None)
        try:
            return int(getattr(view, self.action)(part, **self.ids).status_code)
        except Exception as error:
            raise self.fault(from_exception(error)) from error

    def fault(self, error: FluxerError) -> FluxerError:
        """The error as the batch's own, saying which element it was."""
        if isinstance(error, InvalidFormBody):
            return InvalidFormBody(
                [
                    {**each, "path": f"{self.index}.{each['path'] or 'body'}"}
                    for each in error.errors
                ]
            )
        if error.status >= 500:
            return error
        return InvalidFormBody.at(f"{self.index}.path", error.code, error.message)


@transaction.atomic
def perform(*, operations: Sequence[Mapping[str, Any]], request: Request) -> list[dict[str, int]]:
    """What each answered. InvalidFormBody for the first that cannot be done; then none is done.

    All rooms that any of them locks are locked first, in id order: in the order of the batch, two
    batches could wait for each other.
    """
    todo = [_understood(index, operation) for index, operation in enumerate(operations)]
    changes.lock_channels(
        room for one in todo for room in one.view.rooms(action=one.action, **one.ids)
    )
    return [{"status": one.run(request)} for one in todo]


def _understood(index: int, operation: Mapping[str, Any]) -> Operation:
    """The operation, or InvalidFormBody: no route of `/service`, or none that a batch may take."""
    method, path = operation["method"], operation["path"]
    try:
        match = resolve(path if path.startswith("/service/") else "")
    except Resolver404:
        raise InvalidFormBody.at(
            f"{index}.path", "NOT_FOUND", "There is nothing at this address"
        ) from None
    view = getattr(match.func, "cls", None)
    actions: Mapping[str, str] = getattr(match.func, "actions", {})
    if not (isinstance(view, type) and issubclass(view, ServiceViewSet)):
        raise InvalidFormBody.at(f"{index}.path", "NOT_IN_BATCH", "Not to be had in a batch")
    action = actions.get(method.lower())
    if action is None:
        raise InvalidFormBody.at(
            f"{index}.method", "METHOD_NOT_ALLOWED", "This address does not take that method"
        )
    if action not in view.in_batch:
        raise InvalidFormBody.at(f"{index}.path", "NOT_IN_BATCH", "Not to be had in a batch")
    return Operation(index, view, action, match.kwargs, method, operation.get("body", {}))
