"""Every operation of /schema, called with whatever its schema allows and much that it does not."""

from typing import Any

import pytest
import schemathesis
from django.conf import settings as configured
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, settings
from pytest_django import Settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fluxer.directory.models import Channel, ChannelType, Guild, Member, Role, User
from fluxer.directory.permissions import Permission
from regions.models import Region, Server
from tests.livekit.fake import FakeLiveKit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
GUILD = CHANNEL = 0  # the id that comes to mind first
schema = schemathesis.openapi.from_wsgi("/schema", get_wsgi_application())


@pytest.fixture
def headers(
    alice: User, bearer: Any, settings: Settings, livekit: FakeLiveKit
) -> dict[str, dict[str, str]]:
    """Alice's headers and the back end's; her guild, and a call that she can join."""
    settings.LIVEKIT_ALLOWED_HOSTS = ["127.0.0.1"]
    guild = Guild.objects.create(id=GUILD, name="guild", owner=alice)
    Role.objects.create(
        id=GUILD, guild=guild, name="@everyone", permissions=Permission.ADMINISTRATOR
    )
    Member.objects.create(guild=guild, user=alice)
    Channel.objects.create(id=CHANNEL, type=ChannelType.GROUP_DM, recipient_ids=[alice.pk])
    Server.objects.create(
        region=Region.objects.create(id="0", name="region"),
        slug="0",
        endpoint=livekit.url,
        api_key=livekit.key,
        api_secret=livekit.secret,
    )
    service = {"Authorization": f"Bearer {configured.FLUXER_SERVICE_TOKEN[0]}"}
    return {"user": bearer(), "service": service}


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_an_operation(case: Any, headers: dict[str, dict[str, str]]) -> None:
    who = "service" if case.path.startswith("/service") else "user"
    response = case.call(headers=headers[who])
    case.validate_response(response, checks=CHECKS)
    assert response.status_code not in (500, 502), response.text
