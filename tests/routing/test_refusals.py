"""What is remembered of a channel's refusals, for whom, and how long."""

from axonhub_cli.entities import Channel
from axonhub_cli.protocols.remedies import Remedy
from axonhub_cli.routing.refusals import REMEMBERED_S, Refusals

CHANNEL = Channel("c1", "first", "openai", "https://a", updated_at=1)


def remedy(name, lasting=True):
    return Remedy(name, lambda payload: (payload, ()), lasting)


def names(refusals, channel=CHANNEL, model="m", now=0.0):
    return [found.name for found in refusals.known(channel, model, now)]


def test_it_belongs_to_one_channel_as_it_is_and_one_model():
    refusals = Refusals()
    assert names(refusals) == []
    learned = refusals.learn(CHANNEL, "m", [remedy("store"), remedy("reasoning state", lasting=False)], 0.0)
    assert [found.name for found in learned] == ["store"] == names(refusals)
    assert names(refusals, model="other") == []
    assert names(refusals, Channel("c2", "second", "openai", "https://a", updated_at=1)) == []
    assert names(refusals, Channel("c1", "first", "openai", "https://a", updated_at=2)) == []


def test_it_is_forgotten_after_hours_each_thing_by_itself():
    refusals = Refusals()
    refusals.learn(CHANNEL, "m", [remedy("store")], 0.0)
    refusals.learn(CHANNEL, "m", [remedy("user")], 10.0)
    assert names(refusals, now=REMEMBERED_S - 1) == ["store", "user"]
    assert names(refusals, now=REMEMBERED_S) == ["user"]
    assert names(refusals, now=REMEMBERED_S + 10) == []


def test_names_of_models_and_fields_cannot_fill_the_memory():
    refusals = Refusals()
    for number in range(3000):
        refusals.learn(CHANNEL, f"m{number}", [remedy("store")], 0.0)
    assert sum(bool(names(refusals, model=f"m{number}")) for number in range(3000)) == 1000
    for number in range(100):
        refusals.learn(CHANNEL, "m2999", [remedy(f"f{number}")], 0.0)
    assert names(refusals, model="m2999") == [f"f{number}" for number in range(84, 100)]
