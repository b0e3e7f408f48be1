"""The cursor over channels and keys, and what it leaves out after refusals."""

from axonhub_cli.entities import Channel, UpstreamKey
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols import registry
from axonhub_cli.routing.candidates import Candidate
from axonhub_cli.routing.failover import MAX_ATTEMPTS, Action
from axonhub_cli.routing.tries import Tries

KEYS = (UpstreamKey("k1", "https://a", env="A"), UpstreamKey("k2", "https://a", env="B"))
FIRST = Candidate(Channel("c1", "first", "openai", "https://a"), KEYS, "priority 0")
SECOND = Candidate(Channel("c2", "second", "openai", "https://b"), (), "priority 1")
NO_IMAGES = APIError(ErrorKind.INVALID_REQUEST, "This model does not support images.", 400, upstream=True)
SENT = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]}


def sent():
    return SENT


def state(tries):
    return tries.state(elapsed=0.0, committed=False, strikes=0, chance=0.0)


def test_keys_come_before_channels():
    tries = Tries((FIRST, SECOND))
    tries.begin()
    assert (tries.candidate, tries.key, state(tries).other_keys, state(tries).other_channels) == (
        FIRST,
        KEYS[0],
        True,
        True,
    )
    tries.move(Action.NEXT_KEY)
    tries.begin()
    assert (tries.key, state(tries).other_keys, state(tries).here) == (KEYS[1], False, 1)
    tries.move(Action.NEXT_CHANNEL)
    tries.begin()
    assert (tries.candidate, tries.key, tries.number) == (SECOND, None, 3)
    assert (state(tries).channels, state(tries).other_channels) == (2, False)


def test_what_a_channel_refused_is_left_out_for_it_alone():
    tries = Tries((FIRST, SECOND))
    tries.begin()
    assert tries.reason == "priority 0"
    assert tries.mend(NO_IMAGES, registry.codec("openai_chat"), sent)
    assert (tries.candidate, tries.reason) == (FIRST, "again without images, which it refused")
    tries.begin()
    assert not tries.mend(NO_IMAGES, registry.codec("openai_chat"), sent)  # once
    tries.move(Action.NEXT_KEY)
    assert tries.mended
    tries.move(Action.NEXT_CHANNEL)
    assert (tries.remedies, tries.reason) == ((), "priority 1")


def test_mending_counts_as_a_call():
    tries = Tries((FIRST,))
    for _ in range(MAX_ATTEMPTS):
        tries.begin()
    assert not tries.mend(NO_IMAGES, registry.codec("openai_chat"), sent)


def test_what_a_channel_refused_before_is_left_out_at_once():
    from axonhub_cli.protocols.remedies import Remedy, find

    images = find(NO_IMAGES, registry.codec("openai_chat"), sent)
    known = {"second": (Remedy("store", lambda payload: (payload, ()), True), images)}
    tries = Tries((FIRST, SECOND), lambda channel: known.get(channel.name, ()))
    assert (tries.remedies, tries.reason) == ((), "priority 0")
    tries.move(Action.NEXT_CHANNEL)
    assert tries.remedies == known["second"]
    assert tries.reason == "priority 1; without store and images, which it refused before"
    assert not tries.mend(NO_IMAGES, registry.codec("openai_chat"), sent)  # that has been left out
