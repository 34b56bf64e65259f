"""The servers, as operators describe them. The only module that writes Server, but for its health
(`regions.health`)."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import PROTECT, ProtectedError, QuerySet

from fluxer.errors import Conflict, InvalidFormBody
from regions import probes, regions
from regions.errors import UnknownVoiceServer
from regions.models import Server, address_of, api_url_of
from regions.registry import one_writer

IN_USE = "This server has pinned rooms, connections or removals to finish; drain it first"


def rows(*, region_id: str) -> QuerySet[Server]:
    """A region's servers, or UnknownVoiceRegion."""
    return regions.get(region_id=region_id).servers.all()


def get(*, region_id: str, server_id: str) -> Server:
    """One server. UnknownVoiceRegion or UnknownVoiceServer."""
    server = rows(region_id=region_id).filter(slug=server_id).first()
    if server is None:
        raise UnknownVoiceServer
    return server


@transaction.atomic
def put(*, region_id: str, server_id: str, **values: Any) -> tuple[Server, bool]:
    """The server with these values, and whether it is new. Without a secret it keeps its own."""
    one_writer()
    known = rows(region_id=region_id).filter(slug=server_id).first()
    server = known or Server(region_id=region_id, slug=server_id)
    _write(server, values, is_new=known is None)
    return server, known is None


@transaction.atomic
def change(*, region_id: str, server_id: str, **values: Any) -> Server:
    """The server with these values changed."""
    one_writer()
    server = get(region_id=region_id, server_id=server_id)
    _write(server, values, is_new=False)
    return server


@transaction.atomic
def remove(*, region_id: str, server_id: str) -> None:
    """No such server any more. Conflict while anything of voice is, or has to be done, there."""
    one_writer()
    server = rows(region_id=region_id).filter(slug=server_id).first()
    if server is None:
        return
    try:
        server.delete()
    except ProtectedError:
        raise Conflict(IN_USE) from None


def drain(*, region_id: str, server_id: str) -> Server:
    """No new rooms there; those that live stay until they are empty."""
    return change(region_id=region_id, server_id=server_id, is_draining=True)


def restore(*, region_id: str, server_id: str) -> Server:
    """New rooms again."""
    return change(region_id=region_id, server_id=server_id, is_draining=False)


def probe(*, region_id: str, server_id: str) -> Server:
    """Ask the server now whether it is there; what it said is in its health."""
    probes.probe([get(region_id=region_id, server_id=server_id)])
    return get(region_id=region_id, server_id=server_id)


def needs_secret(server: Server, values: dict[str, Any]) -> bool:
    """The values point the server's secret at another host or key: only who knows it may.

    `server` is as stored; a new one needs its secret anyway.
    """
    endpoint = values.get("endpoint", server.endpoint)
    api_url = api_url_of(endpoint=endpoint, api_url=values.get("api_url", server.api_url))
    return (
        server.pk is None
        or endpoint != server.endpoint
        or api_url != api_url_of(endpoint=server.endpoint, api_url=server.api_url)
        or values.get("api_key", server.api_key) != server.api_key
    )


def _require_free(server: Server, values: dict[str, Any]) -> None:
    """The address in the values, if it is another, is nobody else's, and nobody is at the old one.

    Of two rows that are one server, each would throw out whoever is in the rooms of the other. And
    people at an address that we ask no more could be neither kicked nor seen; those of a server
    that is down are lost anyway, and its address is perhaps what is wrong.
    """
    endpoint, api_url = (
        values.get(name, getattr(server, name)) for name in ("endpoint", "api_url")
    )
    wanted = address_of(endpoint=endpoint, api_url=api_url)
    if server.pk is not None and wanted == server.address:
        return
    at = "api_url" if values.get("api_url") else "endpoint"
    others = Server.objects.exclude(pk=server.pk).defer("api_secret")
    if taken := next((other for other in others if other.address == wanted), None):
        told = f"A LiveKit server is described once, and this address is that of {taken}."
        raise InvalidFormBody.at(at, "ADDRESS_TAKEN", told)
    if server.pk is not None and server.down_since is None and _is_in_use(server):
        raise InvalidFormBody.at(at, "IN_USE", f"{IN_USE}, and then change where it is.")


def _is_in_use(server: Server) -> bool:
    """Something keeps it from being deleted, too."""
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: server}).exists()
        for relation in Server._meta.related_objects
        if relation.on_delete is PROTECT
    )


def _write(server: Server, values: dict[str, Any], *, is_new: bool) -> None:
    _require_free(server, values)
    if "api_secret" not in values and needs_secret(server, values):
        message = "A new or changed endpoint, api_url or api_key needs the api_secret with it."
        raise InvalidFormBody.at("api_secret", "REQUIRED", message)
    for name, value in values.items():
        setattr(server, name, value)
    if is_new:
        server.save(force_insert=True)
    else:
        server.save(update_fields=list(values))
