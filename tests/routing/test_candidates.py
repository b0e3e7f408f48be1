from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from axonhub_cli.entities import Binding, Channel, Profile, Snapshot, UpstreamKey
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.routing.candidates import Candidates, candidates, unavailable
from axonhub_cli.routing.failover import AttemptState, decide
from axonhub_cli.routing.health import Health
from axonhub_cli.routing.profiles import Resolution


def channel(name: str, **fields: Any) -> Channel:
    return Channel(f"ch_{name}", name, "openai", "http://127.0.0.1:1", **fields)


def key(name: str) -> UpstreamKey:
    return UpstreamKey(name, "http://127.0.0.1:1", env=name.upper())


def find(
    *channels: Channel,
    model: str = "m",
    pin: str | None = None,
    profile: Profile | None = None,
    binding: Binding | None = None,
    health: Health | None = None,
    now: float = 0.0,
    seed: str = "t",
) -> Candidates:
    snapshot = Snapshot(1, {c.name: c for c in channels})
    resolution = Resolution(model, pin)
    return candidates(snapshot, resolution, profile, binding=binding, health=health or Health(), now=now, seed=seed)


def names(found: Candidates) -> list[str]:
    return [c.channel.name for c in found.chosen]


def bind(name: str, key_id: str | None = None) -> Binding:
    return Binding("k", "t", f"ch_{name}", key_id, "m", 0)


def test_who_may_serve_and_why_not() -> None:
    found = find(
        channel("off", enabled=False),
        channel("other", models=("x",)),
        channel("lists", models=("x", "m")),
        channel("any"),
        channel("tagged", tags=("eu",)),
        profile=Profile("p", "work", channels=("off", "other", "lists", "tagged"), tags=("eu",)),
    )
    assert names(found) == ["tagged"]
    reasons = dict(found.rejected)
    assert reasons["off"] == "disabled"
    assert "tags of profile work" in reasons["lists"]
    assert "does not list it" in reasons["any"]


def test_a_model_that_a_channel_does_not_list() -> None:
    found = find(channel("other", models=("x",)), channel("lists", models=("m",)))
    assert names(found) == ["lists"]
    assert dict(found.rejected) == {"other": "does not offer m"}


def test_a_pin_leaves_one_channel() -> None:
    found = find(channel("a"), channel("b"), pin="b", binding=bind("a"))
    assert names(found) == ["b"]
    assert not found.bound
    assert "pinned" in found.chosen[0].reason


def test_priority_then_weight() -> None:
    found = find(channel("late", priority=5, weight=10_000), channel("idle", weight=0), channel("a"))
    assert names(found) == ["a", "idle", "late"]


def test_weights_share_traces_out_in_proportion_and_a_trace_sticks() -> None:
    heavy, light = channel("heavy", weight=300), channel("light", weight=100)
    first = Counter(names(find(heavy, light, seed=f"trace-{i}"))[0] for i in range(2000))
    assert 0.70 < first["heavy"] / 2000 < 0.80
    assert all(names(find(heavy, light, seed="one")) == names(find(light, heavy, seed="one")) for _ in range(3))


def test_losing_a_channel_moves_only_its_own_traces() -> None:
    all_three = [channel("a"), channel("b"), channel("c")]
    for i in range(200):
        seed = f"trace-{i}"
        before = names(find(*all_three, seed=seed))
        assert names(find(*[c for c in all_three if c.name != before[0]], seed=seed)) == before[1:]


def test_a_binding_beats_priority_while_it_is_eligible() -> None:
    first, second = channel("first"), channel("second", priority=9, keys=(key("k1"), key("k2")))
    for wanted in ("k1", "k2"):
        found = find(first, second, binding=bind("second", wanted))
        assert names(found) == ["second", "first"]
        assert found.bound
        assert found.chosen[0].keys[0].id == wanted
    gone = find(first, replace(second, enabled=False), binding=bind("second", "k1"))
    assert names(gone) == ["first"]
    assert not gone.bound


def test_keys_of_a_channel_are_shared_out_by_trace() -> None:
    both = channel("a", keys=(key("k1"), key("k2")))
    first = Counter(find(both, seed=f"t{i}").chosen[0].keys[0].id for i in range(200))
    assert min(first["k1"], first["k2"]) > 60


def test_resting_keys_are_left_out_and_a_resting_channel_goes_last() -> None:
    health = Health()
    both = channel("a", keys=(key("k1"), key("k2")))
    health.rest_key(both, "k1", 30, now=0, reason="429", model="m")
    assert [k.id for k in find(both, health=health).chosen[0].keys] == ["k2"]
    assert len(find(both, health=health, model="other").chosen[0].keys) == 2
    health.rest_key(both, "k2", 90, now=0, reason="401")
    found = find(both, health=health, now=10)
    assert not found.chosen
    assert found.retry_after == 20
    assert found.rejected == (("a", "rests for 20 s: 429"),)
    assert len(find(both, health=health, now=30).chosen[0].keys) == 1
    flaky, spare = channel("flaky"), channel("spare", priority=9)
    health.rest_channel(flaky, 10, now=0, reason="503")
    assert names(find(flaky, spare, health=health)) == ["spare", "flaky"]
    assert names(find(flaky, spare, health=health, now=10)) == ["flaky", "spare"]


def test_editing_a_channel_ends_its_rests() -> None:
    health = Health()
    plain = channel("a")
    health.rest_key(plain, None, 600, now=0, reason="401")
    assert not find(plain, health=health).chosen
    assert find(replace(plain, updated_at=1), health=health).chosen


def test_what_a_client_is_told_when_there_is_nobody() -> None:
    health = Health()
    only = channel("a")
    nobody = unavailable(find(channel("a", models=("x",)), model="m2"), Resolution("m2"), "gpt-5")
    assert (nobody.kind, nobody.status, nobody.code) == (ErrorKind.NOT_FOUND, 404, "model_not_found")
    assert "gpt-5 (mapped to m2)" in nobody.message and "does not offer m2" in nobody.message
    health.rest_key(only, None, 20.2, now=0, reason="429")
    soon = unavailable(find(only, health=health), Resolution("m"), "m")
    assert (soon.status, soon.retry_after) == (429, 21)
    assert "try again in 21s" in soon.message
    health.rest_key(only, None, 600, now=0, reason="401")
    late = unavailable(find(only, health=health), Resolution("m"), "m")
    assert (late.status, late.code, late.retry_after) == (503, "server_is_overloaded", 60)
    assert "No channel for m is free soon: a: rests for 600 s: 401. `axonhub channel enable a` ends" in late.message
    denied = unavailable(find(only), Resolution("m", denied=True, reason="profile work has no rule"), "m")
    assert (denied.status, denied.message) == (404, "Profile work has no rule.")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (APIError(ErrorKind.AUTHENTICATION, "bad key", 401, upstream=True), 502, "upstream_auth"),
        (APIError(ErrorKind.PERMISSION, "not for you", 403, upstream=True), 502, "upstream_auth"),
        (APIError(ErrorKind.QUOTA, "no money left", 402, upstream=True), 429, "insufficient_quota"),
    ],
)
def test_while_a_refused_key_rests_clients_are_told_what_the_refusal_told_them(error, status, code) -> None:
    # "At capacity", which Codex makes of a 503, would hide that the person must do something.
    health, only = Health(), channel("deepSeek")
    health.learn(decide(error, AttemptState()), only, None, "m", now=0, reason=error.message)
    told = unavailable(find(only, health=health), Resolution("m"), "m")
    assert (told.status, told.code, told.retry_after) == (status, code, None)
    assert f"deepSeek: rests for {'900' if status == 429 else '600'} s: {error.message}" in told.message
    other = channel("other")
    health.rest_key(other, None, 700, now=0, reason="503")
    mixed = unavailable(find(only, other, health=health), Resolution("m"), "m")
    assert (mixed.status, mixed.code) == (503, "server_is_overloaded")


def test_only_the_channels_that_rest_are_told_where_some_do() -> None:
    health, pinned = Health(), channel("pinned")
    health.rest_key(pinned, None, 600, now=0, reason="no money")
    found = find(channel("a"), channel("b", enabled=False), pinned, pin="pinned", health=health)
    told = unavailable(found, Resolution("m", "pinned"), "m")
    assert "pinned: rests for 600 s: no money" in told.message and "the rule pins" not in told.message
    nobody = unavailable(find(channel("a"), pin="gone"), Resolution("m", "gone"), "m")
    assert "a: the rule pins gone" in nobody.message


def test_a_vendor_is_the_last_resort_for_another_vendors_model() -> None:
    kimi = replace(channel("kimi", priority=-5), type="moonshot")
    deep = replace(channel("deep"), type="deepseek")
    compatible = replace(channel("any"), type="openai-compatible")
    found = find(kimi, deep, compatible, model="deepseek-chat")
    assert sorted(names(found)[:2]) == ["any", "deep"]
    assert names(found)[2] == "kimi"
    assert "last resort: deepseek-chat is no name of moonshot" in found.chosen[2].reason


@pytest.mark.parametrize(("model", "own"), [("claude-opus-4-8", "anthropic"), ("gemini-3-pro-preview", "gemini")])
def test_the_two_vendors_with_protocols_of_their_own_know_their_models(model: str, own: str) -> None:
    channels = [replace(channel(name), type=name) for name in ("anthropic", "gemini", "openai")]
    found = find(*channels, model=model)
    assert names(found)[0] == own
    assert [item.reason.startswith("last resort: ") for item in found.chosen] == [False, True, True]


def test_a_channel_that_lists_a_model_or_is_pinned_is_no_last_resort() -> None:
    lists = replace(channel("kimi", models=("deepseek-chat",)), type="moonshot")
    assert "offers deepseek-chat" in find(lists, model="deepseek-chat").chosen[0].reason
    pinned = find(replace(channel("kimi"), type="moonshot"), model="own-name", pin="kimi")
    assert "last resort" not in pinned.chosen[0].reason
