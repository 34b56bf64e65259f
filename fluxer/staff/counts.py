"""Counts of what belongs to a row, as columns that a list can be ordered by."""

from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce


def counted(rows: QuerySet[Any], by: str, what: str = "pk", *, distinct: bool = False) -> Any:
    """How many of `rows` have the outer row as their `by`: one subquery for the whole list."""
    of_this = rows.order_by().filter(**{by: OuterRef("pk")}).values(by)
    number = of_this.annotate(number=Count(what, distinct=distinct)).values("number")
    return Coalesce(Subquery(number, output_field=IntegerField()), 0)
