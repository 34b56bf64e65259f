"""Secrets at rest: encrypted with the first of FIELD_KEYS, readable with any of them.

A row is loaded with its secret sealed, and the secret opened where it is used: of a secret that no
key opens, only its use fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute

UNREADABLE = (
    "No key in FIELD_KEYS opens its API secret: put the key it was written with back, or enter the"
    " secret again"
)


class SecretUnreadable(Exception):
    """No key of FIELD_KEYS opens a stored secret. Its text says what to do, and no secret."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored."""

    stored: str = field(repr=False)

    def open(self) -> str:
        """The secret. SecretUnreadable when no key opens it."""
        try:
            return _decrypt(tuple(settings.FIELD_KEYS), self.stored)
        except InvalidToken:
            raise SecretUnreadable(UNREADABLE) from None


def encrypt(plain: str) -> str:
    """What may be stored of `plain`."""
    return _fernet(tuple(settings.FIELD_KEYS)).encrypt(plain.encode()).decode()


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("FIELD_KEYS is not set: give it a Fernet key.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise ImproperlyConfigured("FIELD_KEYS holds something that is no Fernet key.") from None


@lru_cache(maxsize=4096)
def _decrypt(keys: tuple[str, ...], stored: str) -> str:
    return _fernet(keys).decrypt(stored.encode()).decode()


def sealed(row: models.Model, name: str) -> Any:
    """The secret that a row has, not opened where it came from the table."""
    return vars(row)[name] if name in vars(row) else getattr(row, name)


class _Opened(DeferredAttribute):
    """The attribute of a row: plain, opened each time it is asked for."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        name = self.field.attname
        if instance is None or name not in vars(instance):
            return super().__get__(instance, cls)
        value = vars(instance)[name]
        return value.open() if isinstance(value, Sealed) else value

    # Without it Python would look into the row first, and find the sealed one.
    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self.field.attname] = value


class SecretField(models.TextField):
    """Text that is encrypted in the table and plain in Python. It cannot be searched, and no form
    begins with it."""

    descriptor_class = _Opened

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return Sealed(value) if value else value

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            return value.stored
        value = super().get_prep_value(value)
        return encrypt(value) if value else value

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        return sealed(model_instance, self.attname)

    def value_from_object(self, obj: Any) -> Any:
        return None
