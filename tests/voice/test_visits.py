"""What LiveKit tells of visits, in any order, twice, and from those who have no say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from django.test import Client
from livekit.protocol.models import DisconnectReason, ParticipantInfo, Room

from regions.models import Server
from tests.livekit.fake import FakeLiveKit
from tests.livekit.signed import Webhook
from tests.livekit.tokens import permission_of
from tests.voice.scene import ALICE, BOB, GUILD, VOICE, Caller, seat, server, written
from voice.models import DueRoom, EndedConnection, VoiceState
from voice.settlement import settle_room

ROOM = f"guild_{GUILD}_channel_{VOICE}"
PATH = "/webhooks/livekit/us-west/us-west-1"


@dataclass(frozen=True)
class Told:
    """One event of one visit. Visits are numbered by the time of their join."""

    event: str
    visit: int
    reason: str = "CLIENT_INITIATED"

    def __str__(self) -> str:
        return f"{self.event}{self.visit}"


J1, J2 = Told("joined", 1), Told("joined", 2)
L1, L2 = Told("left", 1), Told("left", 2)
OUSTED = Told("left", 1, "DUPLICATE_IDENTITY")
A1 = Told("connection_aborted", 1, "JOIN_FAILURE")


def truth(told: Iterable[Told]) -> int | None:
    """Which visit is in once all has been told, whatever the order: the model.

    The latest visit that became active is in, unless it was told to be over. An attempt that
    never became active, and an identity that was taken over, tell nothing.
    """
    events = {(t.event, t.visit) for t in told if t.reason != "DUPLICATE_IDENTITY"}
    joined = {visit for event, visit in events if event == "joined"}
    over = {visit for event, visit in events if event == "left"}
    latest = max(joined | over, default=None)
    return latest if latest in joined and latest not in over else None


class Post:
    """Tells our route of visits of one connection."""

    def __init__(self, fake: FakeLiveKit, state: VoiceState) -> None:
        self.fake, self.state = fake, state
        self._client = Client(raise_request_exception=False)

    def webhook(self, told: Told, **signing: Any) -> Webhook:
        info = ParticipantInfo(
            identity=f"user_{self.state.user_id}_{self.state.pk}",
            sid=f"PA_{told.visit}",
            joined_at=1_700_000_000,
            joined_at_ms=1_700_000_000_000 + told.visit,
            permission=permission_of(
                {
                    "canPublish": True,
                    "canPublishSources": [
                        "microphone", "camera", "screen_share", "screen_share_audio",
                    ],
                }
            ),
        )  # fmt: skip
        if told.event != "joined":
            info.disconnect_reason = DisconnectReason.Value(told.reason)  # type: ignore[assignment]
        room = Room(name=ROOM, sid="RM_1")
        return self.fake.webhook(
            f"participant_{told.event}", room=room, participant=info, **signing
        )

    def __call__(self, told: Told, *, path: str = PATH, **signing: Any) -> int:
        return self.send(self.webhook(told, **signing), path=path)

    def send(self, webhook: Webhook, *, path: str = PATH, body: bytes | None = None) -> int:
        answer = self._client.post(
            path,
            webhook.body if body is None else body,
            content_type=webhook.headers["Content-Type"],
            headers={"Authorization": webhook.headers["Authorization"]},
        )
        return int(answer.status_code)


@pytest.fixture
def post(west: FakeLiveKit) -> Post:
    """Alice has a seat, and her client comes and goes."""
    return Post(west, seat(ALICE, server=Server.objects.get()))


def is_in() -> int | None:
    state = VoiceState.objects.filter(user_id=ALICE, joined_at__isnull=False).first()
    return None if state is None else int(state.participant_sid.removeprefix("PA_"))


def fresh(post: Post) -> None:
    for table in (VoiceState, EndedConnection, DueRoom):
        table.objects.all().delete()
    post.state = seat(ALICE, server=Server.objects.get())


def orders(*sets: Sequence[Told]) -> Iterator[Any]:
    for told in sets:
        for order in permutations(told):
            yield pytest.param(order, id="-".join(map(str, order)))


SETS = [(J1, L1), (J1, L1, J2), (J1, OUSTED, J2), (A1, J2), (J1, L1, J2, L2), (J1, L2)]


@pytest.mark.parametrize("order", [*orders(*SETS)])
@pytest.mark.parametrize("times", [1, 2])
def test_any_order_comes_to_the_same_end(post: Post, order: tuple[Told, ...], times: int):
    for told in order:
        assert {post(told) for _ in range(times)} == {200}

    assert is_in() == truth(order)


@pytest.mark.slow
@pytest.mark.parametrize("told", SETS[:3], ids=lambda told: "-".join(map(str, told)))
def test_every_event_may_come_again_at_any_time(post: Post, told: tuple[Told, ...]):
    for order in set(permutations(told * 2)):
        fresh(post)
        for event in order:
            post(event)

        assert is_in() == truth(order), "-".join(map(str, order))


def test_the_model_knows_what_happens_in_order():
    assert truth([J1]) == 1
    assert truth([J1, L1]) is None
    assert truth([J1, OUSTED, J2]) == truth([J1, L1, J2]) == 2
    assert truth([J1, L1, J2, L2]) is None


@pytest.mark.parametrize("reason", ["PARTICIPANT_REMOVED", "ROOM_DELETED"])
def test_who_was_removed_does_not_return(post: Post, reason: str):
    post(J1)
    post(Told("left", 1, reason))

    ended = EndedConnection.objects.get()
    assert (ended.reason, ended.may_return_until) == ("disconnected", None)
    post(J2)
    assert is_in() is None
    assert DueRoom.objects.get().room == ROOM


@pytest.mark.parametrize("reason", ["MIGRATION", "DUPLICATE_IDENTITY"])
def test_a_change_of_node_or_of_connection_is_no_leave(post: Post, reason: str):
    post(J1)
    before = written()
    post(Told("left", 1, reason))

    assert written() == before


def test_who_was_lost_comes_back_with_all_that_was_theirs(post: Post):
    VoiceState.objects.update(self_mute=True, version=7)
    post(J1)
    post(L1)
    post(J2)

    state = VoiceState.objects.get()
    assert (state.pk, state.participant_sid, state.self_mute) == (post.state.pk, "PA_2", True)
    assert state.version > 7
    assert not EndedConnection.objects.exists()


def test_an_aborted_attempt_leaves_the_seat_to_its_time(post: Post):
    before = VoiceState.objects.values().get()
    post(A1)

    assert VoiceState.objects.values().get() == before


def test_an_abort_of_who_is_in_is_a_leave(post: Post):
    post(J1)
    post(A1)

    assert is_in() is None
    assert EndedConnection.objects.get().reason == "lost"


def test_a_repeated_join_changes_nothing(post: Post):
    post(J1)
    before = written()
    post(J1)

    assert written() == before


# Those who have no say


def nothing_came_of(status: int, expected: int, before: Any) -> None:
    assert status == expected
    assert written() == before


def test_another_server_has_no_say(post: Post, east: FakeLiveKit):
    """Signed well, and by a server of ours, but not by the one that the connection is on."""
    other = Post(east, post.state)
    post(J1)
    before = written()

    assert other(L1, path="/webhooks/livekit/us-east/us-east-1") == 200
    assert written() == before
    assert other(J2, path="/webhooks/livekit/us-east/us-east-1") == 200
    assert is_in() == 1
    due = DueRoom.objects.get()
    assert (due.server.region_id, due.room) == ("us-east", ROOM)


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/livekit/us-west/us-west-2",
        "/webhooks/livekit/us-east/us-west-1",
        "/webhooks/livekit/nowhere/at-all",
    ],
)
def test_an_unknown_server_is_refused(post: Post, path: str):
    before = written()
    nothing_came_of(post(J1, path=path), 401, before)


@pytest.mark.parametrize("path", [PATH, "/webhooks/livekit"])
@pytest.mark.parametrize(
    "signing",
    [{"secret": "x" * 32}, {"key": "another"}, {"life": -120}],
    ids=lambda signing: next(iter(signing)),
)
def test_a_wrong_signature_is_refused(post: Post, path: str, signing: dict[str, Any]):
    before = written()
    nothing_came_of(post(J1, path=path, **signing), 401, before)


@pytest.mark.parametrize("path", [PATH, "/webhooks/livekit"])
def test_an_altered_body_is_refused(post: Post, path: str):
    webhook, before = post.webhook(J1), written()
    altered = webhook.body.replace(b"PA_1", b"PA_2")
    assert altered != webhook.body

    nothing_came_of(post.send(webhook, path=path, body=altered), 401, before)


@pytest.mark.parametrize("authorization", ["", "Bearer x", "x.y.z", "\u00e9", "a" * 9000])
@pytest.mark.parametrize("path", [PATH, "/webhooks/livekit"])
def test_what_is_not_signed_is_refused(post: Post, path: str, authorization: str):
    webhook, before = post.webhook(J1), written()
    webhook.headers["Authorization"] = authorization

    nothing_came_of(post.send(webhook, path=path), 401, before)


@pytest.mark.parametrize("key", ["\x00", "a\x00b", "\ud800"])
def test_a_key_that_no_table_can_hold_is_an_unknown_one(post: Post, key: str):
    before = written()
    nothing_came_of(post(J1, path="/webhooks/livekit", key=key), 401, before)


def test_a_key_of_two_servers_does_not_say_which(post: Post, fake_livekit: Any):
    server(fake_livekit(key=post.fake.key))
    before = written()

    nothing_came_of(post(J1, path="/webhooks/livekit"), 401, before)
    assert post(J1) == 200
    assert is_in() == 1


@pytest.mark.parametrize("room", ["", "lobby", "guild_1", f"{ROOM}_", f"dm_0{VOICE}", "dm_x"])
def test_a_room_that_is_not_ours_is_none_of_our_business(post: Post, room: str):
    webhook = post.webhook(J1)
    webhook.event.room.name = room
    before = written()

    status = post.send(post.fake.webhooks.make(webhook.event))

    nothing_came_of(status, 200, before)


@pytest.mark.parametrize("room", ["guild_10_channel_999", f"guild_11_channel_{VOICE}", "dm_100"])
def test_a_room_of_ours_that_is_not_there_is_emptied(west: FakeLiveKit, stage: None, room: str):
    """No channel has a room of this name: whoever is in it goes."""
    west.rooms.create(room, empty=60, departure=60, metadata="")
    visit = west.join(west.token(room, "user_1_conn_x"))

    settle_room(server_id=Server.objects.get().pk, room=room)

    assert not visit.inside


@pytest.mark.parametrize("grant", [{"hidden": True}, {"recorder": True}])
def test_hidden_participants_are_removed(west: FakeLiveKit, alice: Caller, grant: dict[str, bool]):
    mine = alice.token()
    visit = west.join(west.token(ROOM, f"user_{ALICE}_{mine['connection_id']}", **grant))

    settle_room(server_id=Server.objects.get().pk, room=ROOM)

    assert not visit.inside
    assert not VoiceState.objects.filter(joined_at__isnull=False).exists()


@pytest.mark.parametrize(
    "identity",
    ["egress", f"user_{BOB}_CONNECTION", f"user_0{ALICE}_CONNECTION", "user_1_conn_unknown"],
)
def test_who_is_not_ours_is_removed(west: FakeLiveKit, alice: Caller, identity: str):
    mine = alice.token()["connection_id"]
    visit = west.join(west.token(ROOM, identity.replace("CONNECTION", mine)))

    settle_room(server_id=Server.objects.get().pk, room=ROOM)

    assert not visit.inside
    assert VoiceState.objects.get().joined_at is None


def test_who_has_other_rights_than_ours_is_set_right(west: FakeLiveKit, alice: Caller):
    mine = alice.token()
    visit = west.join(west.token(ROOM, f"user_{ALICE}_{mine['connection_id']}", canPublish=False))

    settle_room(server_id=Server.objects.get().pk, room=ROOM)

    assert visit.inside
    assert visit.info.permission.can_publish
    assert len(visit.info.permission.can_publish_sources) == 4


@pytest.mark.parametrize("event", ["room_started", "egress_started", "something_new"])
def test_events_that_we_do_not_know_are_fine(post: Post, event: str):
    before = written()
    status = post.send(post.fake.webhook(event, room=ROOM))

    nothing_came_of(status, 200, before)
