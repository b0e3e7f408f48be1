from __future__ import annotations

from axonhub_cli.entities import Channel
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.routing.failover import AttemptState, decide
from axonhub_cli.routing.health import Health

CHANNEL = Channel("c", "a", "openai", "http://127.0.0.1:1")


def test_one_fault_is_forgiven_and_more_rest_longer_and_longer() -> None:
    health = Health()
    rests = []
    for _ in range(7):
        health.fault(CHANNEL, 0, "503")
        rest = health.channel_rest(CHANNEL, "m", 0)
        rests.append(rest.seconds if rest else 0)
    assert rests == [0, 5, 10, 20, 40, 60, 60]
    health.success(CHANNEL, None, "m")
    assert health.channel_rest(CHANNEL, "m", 0) is None
    health.fault(CHANNEL, 0, "503")
    assert health.channel_rest(CHANNEL, "m", 0) is None


def test_a_rest_ends_by_the_clock() -> None:
    health = Health()
    health.rest_key(CHANNEL, "k", 10, now=100, reason="429", model="m")
    assert health.key_rest(CHANNEL, "k", "m", 109.5).seconds == 0.5  # type: ignore[union-attr]
    assert health.key_rest(CHANNEL, "k", "m", 110) is None
    assert health.key_rest(CHANNEL, "k", "n", 100) is None
    assert health.key_rest(CHANNEL, "l", "m", 100) is None


def test_learning_from_429s_without_a_time() -> None:
    health = Health()
    error = APIError(ErrorKind.RATE_LIMIT, "slow down", 429, upstream=True)
    seconds = []
    for _ in range(7):
        decision = decide(error, AttemptState(strikes=health.strikes(CHANNEL, "k", "m")))
        health.learn(decision, CHANNEL, "k", "m", now=0, reason="429")
        seconds.append(health.key_rest(CHANNEL, "k", "m", 0).seconds)  # type: ignore[union-attr]
    assert seconds == [2, 4, 8, 16, 32, 60, 60]
    health.success(CHANNEL, "k", "m")
    assert health.strikes(CHANNEL, "k", "m") == 0


def test_model_names_cannot_fill_the_memory() -> None:
    health = Health()
    for i in range(25_000):
        health.rest_key(CHANNEL, "k", 1e9, now=0, reason="429", model=f"m{i}")
    assert len(health._rests) <= 10_000
    assert len(health._strikes) <= 10_000
