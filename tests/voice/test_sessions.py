"""A device session has one connection: with a `sid`, a newer one ends the older, wherever it is."""

from functools import partial
from typing import Any

import pytest

from fluxer.directory.models import Channel
from tests.livekit.fake import FakeLiveKit
from tests.voice.races import Rival, at_once
from tests.voice.scene import ALICE, BOB, GUILD, OTHER_VOICE, VOICE, Caller, seat, written
from voice import tokens
from voice.models import DueRoom, EndedConnection, RoomPin, VoiceState
from voice.settlement import settle_room
from voice.states import seats

ROOM, OTHER_ROOM = (f"guild_{GUILD}_channel_{channel}" for channel in (VOICE, OTHER_VOICE))
PHONE = "phone"


@pytest.fixture
def phone() -> Caller:
    return Caller(ALICE, sid=PHONE)


def settle_all() -> None:
    for due in DueRoom.objects.all():
        settle_room(server_id=due.server_id, room=due.room)


def test_the_older_connection_of_a_session_ends_as_replaced(west: FakeLiveKit, phone: Caller):
    first, second = phone.token(), phone.token()

    state, ended = VoiceState.objects.get(), EndedConnection.objects.get()
    assert (state.pk, state.session) == (second["connection_id"], PHONE)
    assert (ended.pk, ended.reason) == (first["connection_id"], "replaced")
    assert ended.replaced_by == second["connection_id"]
    assert ended.may_return_until is None


def test_it_ends_in_another_channel_too_and_leaves_livekit(west: FakeLiveKit, phone: Caller):
    before = west.join(phone.token()["token"])
    after = west.join(phone.token(OTHER_VOICE)["token"])

    assert VoiceState.objects.get().channel_id == OTHER_VOICE
    assert RoomPin.objects.get(channel_id=VOICE).expires_at is not None
    assert RoomPin.objects.get(channel_id=OTHER_VOICE).expires_at is None
    settle_all()
    west.webhooks.deliver()

    assert not before.inside
    assert before.reason == "PARTICIPANT_REMOVED"
    assert after.inside
    assert VoiceState.objects.get().joined_at is not None


def test_what_was_replaced_does_not_return_with_its_old_token(west: FakeLiveKit, phone: Caller):
    grant = phone.token()
    west.join(grant["token"])
    phone.token(OTHER_VOICE)

    again = west.join(grant["token"])
    settle_all()

    assert not again.inside
    assert VoiceState.objects.get().channel_id == OTHER_VOICE


def test_sessions_of_one_user_do_not_touch_each_other(west: FakeLiveKit, phone: Caller):
    desktop, nameless = Caller(ALICE, sid="desktop"), Caller(ALICE)
    phone.token()
    desktop.token(OTHER_VOICE)
    nameless.token()
    nameless.token()

    assert VoiceState.objects.count() == 4
    assert not EndedConnection.objects.exists()


def test_the_same_name_is_another_session_for_another_user(west: FakeLiveKit, phone: Caller):
    phone.token()
    Caller(BOB, sid=PHONE).token()

    assert VoiceState.objects.count() == 2


def test_the_older_one_ends_only_if_the_new_one_is_given(
    west: FakeLiveKit, phone: Caller, bob: Caller
):
    Channel.objects.filter(pk=OTHER_VOICE).update(user_limit=1)
    bob.token(OTHER_VOICE)
    phone.token()
    before = written()

    assert phone.ask(OTHER_VOICE).json()["code"] == "VOICE_CHANNEL_FULL"
    assert phone.ask(OTHER_VOICE, region="atlantis").json()["code"] == "UNKNOWN_VOICE_REGION"

    assert written() == before


def test_no_server_for_the_new_one_leaves_the_older(west: FakeLiveKit, phone: Caller):
    west.join(phone.token()["token"])
    west.fault("plain_500", method="CreateRoom")
    before = written()

    assert phone.ask(OTHER_VOICE).json()["code"] == "FEATURE_TEMPORARILY_DISABLED"

    assert written() == before


def test_a_session_takes_its_own_place_in_a_full_channel(west: FakeLiveKit, phone: Caller):
    Channel.objects.filter(pk=VOICE).update(user_limit=1, voice_connection_limit=1)
    west.join(phone.token()["token"])

    assert phone.ask().status_code == 200
    assert VoiceState.objects.count() == 1


def test_a_session_whose_seat_lapsed_may_come_again(west: FakeLiveKit, phone: Caller, later: Any):
    old = phone.token()
    later(200)

    new = phone.token(OTHER_VOICE)

    assert VoiceState.objects.get().pk == new["connection_id"]
    assert EndedConnection.objects.get().pk == old["connection_id"]


# Races


def clear() -> None:
    for table in (VoiceState, RoomPin, EndedConnection, DueRoom):
        table.objects.all().delete()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("channels", [(VOICE, VOICE), (VOICE, OTHER_VOICE)])
def test_two_tokens_at_once_are_one_connection(west: FakeLiveKit, channels: tuple[int, int]):
    devices = [Caller(ALICE, sid=PHONE) for _ in channels]
    for _ in range(10):
        grants = at_once(
            [partial(device.token, at) for device, at in zip(devices, channels, strict=True)]
        )

        state, ended = VoiceState.objects.get(), EndedConnection.objects.get()
        assert {state.pk, ended.pk} == {grant["connection_id"] for grant in grants}
        assert (ended.reason, ended.replaced_by) == ("replaced", state.pk)
        clear()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_sessions_that_cross_do_not_deadlock(west: FakeLiveKit):
    """Each goes where the other comes from: the channels are locked in id order."""
    here, there = VOICE, OTHER_VOICE
    phone, desktop = Caller(ALICE, sid=PHONE), Caller(BOB, sid="desktop")
    phone.token(here)
    desktop.token(there)
    for _ in range(10):
        here, there = there, here
        answers = at_once([partial(phone.ask, here), partial(desktop.ask, there)])

        assert [answer.status_code for answer in answers] == [200, 200]
        assert dict(VoiceState.objects.values_list("user_id", "channel_id")) == {
            ALICE: here,
            BOB: there,
        }


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_sessions_that_cross_all_arrive(west: FakeLiveKit):
    people = [Caller(user, sid=f"{user}-{n}") for user in (ALICE, BOB) for n in range(4)]
    for caller in people:
        caller.token(VOICE if caller.user_id == ALICE else OTHER_VOICE)
    for _ in range(5):
        answers = at_once(
            [partial(p.ask, channel) for p in people for channel in (VOICE, OTHER_VOICE)]
        )

        assert {answer.status_code for answer in answers} == {200}
        assert VoiceState.objects.count() == len(people)


@pytest.mark.django_db(transaction=True)
def test_the_constraint_is_the_last_word_on_a_session(
    west: FakeLiveKit, phone: Caller, monkeypatch: pytest.MonkeyPatch
):
    """Both look before either writes, in channels whose locks do not keep them apart."""
    rival = Rival(partial(phone.token, OTHER_VOICE))
    reserve = seats.reserve

    def interrupted(**values: Any) -> VoiceState:
        if values["channel_id"] == VOICE:
            rival.let_in()
        return reserve(**values)

    monkeypatch.setattr(seats, "reserve", interrupted)

    grant = phone.token(VOICE)

    assert VoiceState.objects.get().pk == grant["connection_id"]
    ended = EndedConnection.objects.get()
    assert (ended.pk, ended.reason) == (rival.finish()["connection_id"], "replaced")


@pytest.mark.django_db(transaction=True)
def test_a_session_that_goes_on_meanwhile_is_followed(
    west: FakeLiveKit, phone: Caller, monkeypatch: pytest.MonkeyPatch
):
    """It moved to a third channel after the look: the locks were chosen for another one."""
    Channel.objects.create(pk=105, type=2, guild_id=GUILD)
    phone.token(VOICE)
    lock, locked = tokens.lock_channels, list[set[int]]()

    def move() -> None:
        VoiceState.objects.all().delete()
        seat(ALICE, 105, session=PHONE)

    def late(channel_ids: set[int]) -> Any:
        if not locked:
            at_once([move])
        locked.append(channel_ids)
        return lock(channel_ids)

    monkeypatch.setattr(tokens, "lock_channels", late)

    grant = phone.token(OTHER_VOICE)

    assert locked == [{VOICE, OTHER_VOICE}, {105, OTHER_VOICE}]
    assert VoiceState.objects.get().pk == grant["connection_id"]
