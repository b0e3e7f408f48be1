"""Real Codex through the hub: sub-agents in both forms, compaction in both forms."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.conftest import Stage
from tests.fakes.script import Call, Reply, Say, Search, Summary, Think

pytestmark = pytest.mark.e2e


def is_child(request: Any) -> bool:
    """By what only the child is told: not every upstream sees Codex's headers."""
    return "COUNT THE FILES" in request.text and "spawn_agent" not in "".join(request.calls)


def agent_id(request: Any) -> str:
    found = re.search(r'"agent_id":\s*"([^"]+)', request.text)
    assert found, request.text[-500:]
    return found[1]


def test_sub_agent_found_by_search(stage: Stage) -> None:
    # pitfalls 22, 108, 168; gpt-5.5: the report is a wait_agent output and a user message
    provider, space = stage.provider, "multi_agent_v1"
    provider.when(is_child, [Think("Counting."), Call("exec_command", {"cmd": "echo seven"})], "There are seven files.")
    provider.then(
        [Think("I need help."), Search("spawn agent")],
        Call("spawn_agent", {"message": "COUNT THE FILES"}, space),
        lambda request: Call("wait_agent", {"targets": [agent_id(request)], "timeout_ms": 20000}, space),
        "Seven, says my agent.",
    )
    turn = stage.codex.exec("how many files?")
    assert turn.done.ok() and turn.answer == "Seven, says my agent."
    assert "There are seven files." in provider.requests[-1].text
    assert_one_trace(stage, turn.session, parent=4, child=2)


def test_sub_agent_whose_task_is_marked_encrypted(stage: Stage) -> None:
    # pitfalls 5, 23; gpt-6-sol: tasks and reports are `agent_message` items
    provider, space = stage.provider, "collaboration"
    provider.when(is_child, "There are seven files.")
    provider.then(
        Call("spawn_agent", {"task_name": "kid", "message": "COUNT THE FILES", "fork_turns": "none"}, space),
        Call("wait_agent", {"timeout_ms": 20000}, space),
        "Seven, says my agent.",
    )
    turn = stage.codex.exec("how many files?", "-m", "gpt-6-sol")
    assert turn.done.ok() and turn.answer == "Seven, says my agent."
    assert "There are seven files." in provider.requests[-1].text
    assert_one_trace(stage, turn.session, parent=3, child=1)


def assert_one_trace(stage: Stage, session: str, *, parent: int, child: int) -> None:
    rows = stage.hub.requests(session, count=parent + child)
    assert {row["trace_id"] for row in rows} == {session}
    assert {row["status"] for row in rows} == {"completed"}
    threads = [row["thread_id"] for row in rows]
    assert threads.count(session) == parent
    assert len(set(threads)) == 2


LIMIT = ("-c", "model_auto_compact_token_limit=100000")


def full(*parts: Any) -> Reply:
    """An answer after which the context is full."""
    return Reply(parts, usage=(200_000, 0, 20, 0))


def test_local_compaction(stage: Stage) -> None:
    # pitfall 105
    busy = full(Think("Working."), Call("exec_command", {"cmd": "echo hi"}))
    stage.provider.then(busy, Summary("We said hi."), "Going on.")
    turn = stage.codex.exec("work", *LIMIT)
    assert turn.done.ok() and turn.answer == "Going on."
    asked, after = stage.provider.requests[1:]
    assert "CHECKPOINT" in asked.last_user
    assert "We said hi." in after.text
    assert after.outputs == []


def test_remote_compaction(stage: Stage) -> None:
    # pitfalls 130-132: one `compaction` item, made of a Chat vendor's text where it is one, and understood later
    with stage.codex.config.open("a") as config:
        config.write('\n[model_providers.axonhub-responses.capabilities]\nremote_compaction = "v2"\n')
    provider = stage.provider
    provider.then(full(Think("Working."), Call("exec_command", {"cmd": "echo hi"})))
    provider.then(
        Summary("We said hi to the whole world."), [Think("So."), Call("exec_command", {"cmd": "echo b"})], "On."
    )
    turn = stage.codex.exec("work", *LIMIT)
    assert turn.done.ok() and turn.answer == "On."
    assert "We said hi to the whole world." in provider.requests[2].text
    assert len(provider.requests[2].outputs) == 0
    if stage.kind.protocol != "openai_responses":
        assert stage.kind.without_tools(provider.requests[1].body)

    stage.hub.restart()
    provider.then("Still on.")
    assert stage.codex.resume(turn.session, "and now?").answer == "Still on."
    assert "We said hi to the whole world." in provider.requests[-1].text


def test_compaction_that_fails_is_not_taken_for_a_summary(deepseek: Stage) -> None:
    # pitfall 131: a summary cut off by the output limit is none
    with deepseek.codex.config.open("a") as config:
        config.write('\n[model_providers.axonhub-responses.capabilities]\nremote_compaction = "v2"\n')
    cut = Reply((Say("We sa"),), length=True)
    deepseek.provider.then(full(Call("exec_command", {"cmd": "echo hi"})))
    deepseek.provider.when(lambda request: "tools" not in request.body, cut, forever=True)
    turn = deepseek.codex.exec("work", *LIMIT)
    assert turn.done.code != 0
    assert turn.messages == []
