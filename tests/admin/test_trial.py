"""A server that is added is tried at once; what is wrong is said, and it is saved all the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from fluxer.livekit import ProbeResult
from regions import trial
from regions.models import Region, Server
from tests.admin import pages
from tests.livekit.fake import FakeLiveKit
from voice import due
from voice.models import DueRoom


def add(client: Client, fake: FakeLiveKit, **fields: Any) -> str:
    """Add a server; what the next page says."""
    Region.objects.get_or_create(pk="us-west", defaults={"name": "US West"})
    form = {
        "region": "us-west",
        "slug": "a",
        "endpoint": fake.url,
        "api_url": "",
        "api_key": fake.key,
        "api_secret": fake.secret,
        "is_active": "on",
        **fields,
    }
    answer = client.post("/admin/regions/server/add/", form, follow=True)
    assert Server.objects.filter(slug="a").exists(), pages.text(answer)
    return pages.text(answer)


def test_a_good_one_answers_takes_the_key_and_shows_where_webhooks_go(
    root: Client, livekit: FakeLiveKit
) -> None:
    told = add(root, livekit)
    assert "Tried us-west/a: It answers, after" in told
    assert "It accepts the API key, and has 0 rooms." in told
    assert "http://testserver/webhooks/livekit/us-west/a" in told
    server = Server.objects.get()
    assert server.probed_at is not None
    page = pages.text(root.get(f"/admin/regions/server/{server.pk}/change/"))
    assert 'urls: ["http://testserver/webhooks/livekit/us-west/a"]' in page


def test_a_wrong_secret_is_said(root: Client, livekit: FakeLiveKit) -> None:
    told = add(root, livekit, api_secret="w" * 40)
    assert "It does not accept the API key and secret." in told
    assert Server.objects.get().failing_since is not None


def test_what_waited_for_the_right_secret_is_due_at_once(
    root: Client, livekit: FakeLiveKit
) -> None:
    add(root, livekit, api_secret="w" * 40)
    server = Server.objects.get()
    later = timezone.now() + timedelta(minutes=1)
    due.mark((server.pk, "dm_1"))
    due.put_off(server_id=server.pk, until=later)
    page = f"/admin/regions/server/{server.pk}/change/"
    root.post(page, {**pages.opened(root, page), "api_secret": livekit.secret})
    server.refresh_from_db()
    assert server.failing_since is None
    (row,) = DueRoom.objects.all()
    assert row.due_at < later - timedelta(seconds=30)


def test_one_that_is_not_there_is_said(root: Client, livekit: FakeLiveKit) -> None:
    told = add(root, livekit, endpoint="ws://127.0.0.1:9")
    assert "It does not answer: LiveKit cannot be reached." in told
    assert Server.objects.get().failures == 1


def test_an_endpoint_apart_from_the_api_is_tried_too(root: Client, livekit: FakeLiveKit) -> None:
    told = add(root, livekit, endpoint="ws://127.0.0.1:9", api_url=livekit.api_url)
    assert "Its endpoint, as we see it from here, does not answer" in told
    assert "It accepts the API key" in told


@pytest.mark.parametrize(
    ("skew", "words"), [(70.0, "70 s ahead of"), (-70.0, "70 s behind"), (1.0, ""), (None, "")]
)
def test_a_clock_that_is_off_is_said(skew: float | None, words: str) -> None:
    found = " ".join(one.sentence for one in trial._clock(ProbeResult(True, 1.0, None, skew)))
    assert words in found
    assert bool(found) == bool(words)


def test_nothing_is_tried_when_only_a_limit_changes(root: Client, livekit: FakeLiveKit) -> None:
    add(root, livekit)
    server, probes = Server.objects.get(), livekit.probes
    page = f"/admin/regions/server/{server.pk}/change/"
    answer = pages.send(root, page, pages.opened(root, page), soft_connection_limit="7")
    server.refresh_from_db()
    assert (server.soft_connection_limit, server.api_secret) == (7, livekit.secret)
    assert livekit.probes == probes
    assert "Tried" not in pages.text(answer)
