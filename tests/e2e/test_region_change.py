"""Another region: everybody is out, and the same people meet again over there."""

from tests.e2e.town import Town, soon


def test_the_same_people_meet_again_in_the_new_region(town: Town):
    people = (town.alice, town.bob)
    for person in people:
        person.join(town.voice)
    first = [person.client for person in people]
    west = town.pin(town.voice)

    town.alice.api.do("PATCH", f"/channels/{town.voice}", {"rtc_region": "us-east"})

    assert town.pin(town.voice) is None
    for client in first:
        client.wait_for("disconnected", timeout=2, reason="PARTICIPANT_REMOVED")
    assert town.bob.state().body["reason"] == "region_changed"

    for person in people:
        person.join(town.voice)
    east = town.pin(town.voice)
    assert west is not None
    assert east is not None
    assert (west["region_id"], east["region_id"]) == ("us-west", "us-east")
    assert west["endpoint"] != east["endpoint"] == town.bob.client.url
    town.alice.client.publish_microphone()
    assert town.bob.client.hears(town.alice.identity)
    soon(lambda: all(state["joined_at"] for state in town.states(town.voice)))
