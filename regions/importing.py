"""Regions and servers out of a file, through the same doors as from the API."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from django.db import transaction
from rest_framework import serializers

from fluxer.errors import FluxerError, InvalidFormBody, from_exception
from fluxer.secrets import SecretUnreadable
from regions import regions, servers
from regions.models import SLUG, Region, Server
from regions.serializers import RegionSerializer, ServerSerializer

_FROM_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SECRETS = {"api_secret"}


class BadFile(Exception):
    """A sentence about the first fault, with its place in the file and never with a secret."""


@transaction.atomic
def run(text: str, *, dry_run: bool) -> list[str]:
    """Make it so, or nothing of it, and say what changed, a line each. BadFile; FluxerError."""
    listed = _parse(text)
    said = [line for entry in listed for line in _region(entry)]
    if dry_run:
        transaction.set_rollback(True)
    return said


def _parse(text: str) -> list[dict[str, Any]]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" at line {mark.line + 1}" if mark else ""
        raise BadFile(f"It is not valid YAML{at}.") from None
    if not isinstance(content, dict) or set(content) != {"regions"}:
        raise BadFile("It must have one key, `regions`, with a list of regions.")
    found = _entries(content["regions"], "regions")
    if sum(entry.get("is_default") is True for entry in found) > 1:
        raise BadFile("Only one region can be the default.")
    return found


def _entries(value: Any, path: str) -> list[dict[str, Any]]:
    """A list of mappings, each with an id of its own."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise BadFile(f"{path} must be a list of mappings.")
    for index, entry in enumerate(value):
        id_ = entry.get("id")
        if not isinstance(id_, str) or not re.fullmatch(SLUG, id_):
            raise BadFile(f"{path}[{index}].id must be a-z, 0-9 and -, at most 64 characters.")
    twice = [id_ for id_, count in Counter(entry["id"] for entry in value).items() if count > 1]
    if twice:
        raise BadFile(f"{path} lists {twice[0]} twice.")
    return value


def _region(entry: dict[str, Any]) -> Iterator[str]:
    region_id = entry["id"]
    listed = _entries(entry.get("servers", []), f"{region_id}.servers")
    values = _valid(RegionSerializer, entry, region_id, besides={"id", "servers"})
    known = Region.objects.filter(pk=region_id).first()
    before = _snapshot(known, values)
    _at(region_id, regions.put, region_id=region_id, **values)
    yield from _said(region_id, before, values)
    for server in listed:
        yield from _server(region_id, server)


def _server(region_id: str, entry: dict[str, Any]) -> Iterator[str]:
    ids = {"region_id": region_id, "server_id": entry["id"]}
    path = f"{region_id}/{entry['id']}"
    if "api_secret" in entry:
        entry = {**entry, "api_secret": _opened(entry["api_secret"], path)}
    values = _valid(ServerSerializer, entry, path, besides={"id"})
    known = Server.objects.filter(region=region_id, slug=entry["id"]).first()
    before = _snapshot(known, values)
    _at(path, servers.put, **ids, **values)
    yield from _said(path, before, values)


def _opened(value: Any, path: str) -> Any:
    """The secret itself: written out, or named as ${NAME}."""
    match = _FROM_ENVIRONMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    secret = os.environ.get(match[1])
    if not secret:
        raise BadFile(f"{path}: the environment has no {match[1]}.")
    return secret


def _valid(
    serializer: type[serializers.Serializer[Any]],
    entry: Mapping[str, Any],
    path: str,
    *,
    besides: set[str],
) -> dict[str, Any]:
    """What the API would make of the entry; a key that it would ignore is a slip of the pen."""
    wish = serializer(data={key: value for key, value in entry.items() if key not in besides})
    writable = {name for name, field in wish.fields.items() if not field.read_only}
    unknown = sorted(str(key) for key in entry if key not in writable | besides)
    if unknown:
        raise BadFile(f"{path}: unknown key {unknown[0]}.")
    try:
        wish.is_valid(raise_exception=True)
    except serializers.ValidationError as error:
        raise BadFile(_sentence(path, from_exception(error))) from None
    return dict(wish.validated_data)


def _at(path: str, verb: Any, **values: Any) -> None:
    try:
        verb(**values)
    except InvalidFormBody as error:
        raise BadFile(_sentence(path, error)) from None


def _sentence(path: str, error: FluxerError) -> str:
    faults = error.errors if isinstance(error, InvalidFormBody) else [error.body()]
    first = faults[0]
    field = f".{first['path']}" if first.get("path") else ""
    return f"{path}{field}: {first['message']}"


def _snapshot(row: Region | Server | None, values: Mapping[str, Any]) -> dict[str, Any] | None:
    return None if row is None else {name: _had(row, name) for name in values}


def _had(row: Region | Server, name: str) -> Any:
    """What a column held; nothing, where that was a secret that cannot be opened any more."""
    try:
        return getattr(row, name)
    except SecretUnreadable:
        return None


def _said(path: str, before: dict[str, Any] | None, values: Mapping[str, Any]) -> Iterator[str]:
    if before is None:
        yield f"{path}: created"
        return
    for name, value in values.items():
        if before[name] == value:
            continue
        told = "changed" if name in SECRETS else f"{before[name]!r} -> {value!r}"
        yield f"{path}: {name} {told}"
