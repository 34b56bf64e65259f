"""The regions. The only module that writes Region."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from fluxer.errors import Conflict, InvalidFormBody
from regions.errors import UnknownVoiceRegion
from regions.models import Region
from regions.registry import one_writer


def rows() -> QuerySet[Region]:
    """All of them."""
    return Region.objects.all()


def get(*, region_id: str) -> Region:
    """One region, or UnknownVoiceRegion."""
    region = Region.objects.filter(pk=region_id).first()
    if region is None:
        raise UnknownVoiceRegion
    return region


@transaction.atomic
def put(*, region_id: str, **values: Any) -> tuple[Region, bool]:
    """The region with these values, and whether it is new."""
    one_writer()
    known = Region.objects.filter(pk=region_id).first()
    region = known or Region(pk=region_id)
    _write(region, values, is_new=known is None)
    return region, known is None


@transaction.atomic
def change(*, region_id: str, **values: Any) -> Region:
    """The region with these values changed, or UnknownVoiceRegion."""
    one_writer()
    region = get(region_id=region_id)
    _write(region, values, is_new=False)
    return region


@transaction.atomic
def remove(*, region_id: str) -> None:
    """No such region any more. Conflict while it has servers."""
    one_writer()
    region = Region.objects.filter(pk=region_id).first()
    if region is None:
        return
    if region.servers.exists():
        raise Conflict("This region has servers; delete them first")
    region.delete()


def _write(region: Region, values: dict[str, Any], *, is_new: bool) -> None:
    for name, value in values.items():
        setattr(region, name, value)
    if (region.latitude is None) != (region.longitude is None):
        missing = "latitude" if region.latitude is None else "longitude"
        raise InvalidFormBody.at(missing, "REQUIRED", "Give both coordinates, or neither.")
    if values.get("is_default"):
        Region.objects.filter(is_default=True).exclude(pk=region.pk).update(is_default=False)
    if is_new:
        region.save(force_insert=True)
    else:
        region.save(update_fields=list(values))
