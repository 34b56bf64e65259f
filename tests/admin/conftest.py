"""Who signs in: root may everything, vera only looks, mona moderates, olaf keeps the servers."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


def signed_in(name: str, *codenames: str, is_superuser: bool = False) -> Client:
    """Staff with these permissions: `regions.change_server`; `view` is all there is to see."""
    user = User.objects.create_user(name, is_staff=True, is_superuser=is_superuser)
    for codename in codenames:
        if codename == "view":
            ours = ("directory", "regions", "voice", "admin")
            found = Permission.objects.filter(
                codename__startswith="view_", content_type__app_label__in=ours
            )
        else:
            app, _, word = codename.partition(".")
            found = Permission.objects.filter(content_type__app_label=app, codename=word)
        assert found, codename
        user.user_permissions.add(*found)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> Client:
    return signed_in("root", is_superuser=True)


@pytest.fixture
def vera(db: None) -> Client:
    return signed_in("vera", "view")


@pytest.fixture
def mona(db: None) -> Client:
    return signed_in("mona", "view", "voice.moderate")


@pytest.fixture
def olaf(db: None) -> Client:
    return signed_in("olaf", "view", "regions.change_server", "regions.change_region")
