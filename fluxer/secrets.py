"""Secrets at rest: encrypted with the first of FIELD_KEYS, readable with any of them."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


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


def encrypt(plain: str) -> str:
    """What may be stored of `plain`."""
    return _fernet(tuple(settings.FIELD_KEYS)).encrypt(plain.encode()).decode()


def decrypt(stored: str) -> str:
    """The secret behind a stored value. ImproperlyConfigured when no key opens it."""
    try:
        return _decrypt(tuple(settings.FIELD_KEYS), stored)
    except InvalidToken:
        raise ImproperlyConfigured(
            "A stored secret cannot be opened: put the key it was written with back in FIELD_KEYS."
        ) from None


class SecretField(models.TextField):
    """Text that is encrypted in the table and plain in Python. It cannot be searched."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return encrypt(value) if value else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return decrypt(value) if value else value
