"""The base of `/service`: the back end puts rows here, changes them, and reads them back."""

import re
from collections.abc import Iterable
from typing import Any, Protocol

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from fluxer.authentication import IsService, ServiceAuthentication
from fluxer.fields import SnowflakeField

PAGE = 100

COLLECTION: dict[str, Any] = {"get": "list"}
ITEM: dict[str, Any] = {"get": "retrieve", "put": "replace", "patch": "merge", "delete": "destroy"}


class Noun(Protocol):
    """The module behind a view: its verbs, which take the ids of the path and the body's values.

    Every verb is a transaction of its own, and a part of the batch's in a batch.
    """

    def rows(self, **ids: int) -> QuerySet[Any]:
        """The collection. 404 when what it belongs to is unknown."""

    def get(self, **ids: int) -> Model:
        """One row. 404 when it is unknown."""

    def put(self, **ids_and_values: Any) -> tuple[Model, bool]:
        """The row as it is now, and whether it was created."""

    def change(self, **ids_and_values: Any) -> Model:
        """The row as it is now; only what is named was written. 404 when it is unknown."""

    def remove(self, **ids: int) -> None:
        """The row is gone, or was before."""


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": PAGE, "default": PAGE})
class LimitField(serializers.Field[int, str, str, Any]):
    """How many rows a page has, as a query says it."""

    default_error_messages = {"invalid": f"A page has 1 to {PAGE} rows."}

    def to_internal_value(self, data: Any) -> int:
        value = int(data) if re.fullmatch("[1-9][0-9]{0,2}", data, re.ASCII) else PAGE + 1
        if value > PAGE:
            self.fail("invalid")
        return value


class Page(serializers.Serializer[Any]):
    """`?after=id&limit=`. For keys that are no snowflakes, override `after`."""

    after: serializers.Field[Any, Any, Any, Any] = SnowflakeField(required=False)
    limit = LimitField(required=False, default=PAGE)


class ServiceViewSet(GenericViewSet[Any]):
    """One kind of row. A subclass names its noun, its serializer and the errors of its path.

    The serializer's defaults are what a PUT without a field writes; a field that is not required
    and has no default is left as it is.
    """

    authentication_classes = (ServiceAuthentication,)
    permission_classes = (IsService,)
    throttle_classes = ()
    pagination_class = None
    filter_backends = ()

    noun: Any  # a Noun, usually a module
    key: str = "pk"  # what a collection is in order of
    page: type[Page] = Page
    in_batch: frozenset[str] = frozenset({"replace", "merge", "destroy"})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        row = cls.__dict__.get("serializer_class")
        if row is not None:
            extend_schema_view(
                list=extend_schema(parameters=[cls.page], responses=row(many=True)),
                replace=extend_schema(responses={200: row, 201: row}),
                destroy=extend_schema(responses={204: None}),
            )(cls)

    @classmethod
    def rooms(cls, *, action: str, **ids: Any) -> Iterable[int]:
        """The channels that this action will lock; a batch locks those of all elements first."""
        return ()

    def list(self, request: Request, **ids: Any) -> Response:
        page = self.page(data=request.query_params.dict())
        page.is_valid(raise_exception=True)
        rows = self.noun.rows(**ids).order_by(self.key)
        if "after" in page.validated_data:
            rows = rows.filter(**{f"{self.key}__gt": page.validated_data["after"]})
        return Response(self.get_serializer(rows[: page.validated_data["limit"]], many=True).data)

    def retrieve(self, request: Request, **ids: Any) -> Response:
        return Response(self.get_serializer(self.noun.get(**ids)).data)

    def replace(self, request: Request, **ids: Any) -> Response:
        row, created = self.noun.put(**ids, **self.values(request))
        return Response(self.get_serializer(row).data, status=201 if created else 200)

    def merge(self, request: Request, **ids: Any) -> Response:
        row = self.noun.change(**ids, **self.values(request, partial=True))
        return Response(self.get_serializer(row).data)

    def destroy(self, request: Request, **ids: Any) -> Response:
        self.noun.remove(**ids)
        return Response(status=204)

    def values(self, request: Request, *, partial: bool = False) -> dict[str, Any]:
        """What the body says, validated."""
        wish = self.get_serializer(data=request.data, partial=partial)
        wish.is_valid(raise_exception=True)
        return dict(wish.validated_data)
