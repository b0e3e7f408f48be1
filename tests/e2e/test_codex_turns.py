"""Real Codex through the hub: answers, tool loops, reasoning, sessions. Each on every kind of upstream."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import Stage
from tests.fakes.script import Call, Reply, Say, Think

pytestmark = pytest.mark.e2e


def shell(command: str) -> Call:
    return Call("exec_command", {"cmd": command})


def test_plain_answer_and_its_trace(stage: Stage) -> None:
    stage.provider.then(Reply((Say("Hello there, friend."),), usage=(1000, 600, 50, 0)))
    turn = stage.codex.exec("say hello")
    turn.done.ok()
    assert turn.messages == ["Hello there, friend."]
    assert turn.events[-1]["usage"]["cached_input_tokens"] == 600

    (row,) = stage.hub.requests(turn.session, count=1)
    assert row["trace_id"] == row["thread_id"] == turn.session
    assert (row["status"], row["http_status"], row["attempts"], row["stream"]) == ("completed", 200, 1, True)
    assert (row["client_protocol"], row["client_model"]) == ("openai_responses", "gpt-5.5")
    assert row["upstream_protocol"] == stage.kind.protocol
    assert row["upstream_model"] == stage.kind.model
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (1000, 600, 50)
    assert row["channel"] == "main"
    assert row["duration_ms"] >= row["ttft_ms"] >= 0


def test_tool_loop_of_three_turns(stage: Stage) -> None:
    stage.provider.then(shell("echo one > a"), [Say("Next."), shell("cat a")], shell("rm a"), "All done.")
    turn = stage.codex.exec("work")
    assert turn.done.ok() and turn.answer == "All done."
    last = stage.provider.requests[-1]
    assert len(last.outputs) == 3
    assert last.outputs[1].endswith("one\n")
    assert "Next." in last.text
    assert not (stage.codex.work / "a").exists()
    assert len(stage.hub.requests(turn.session, count=4)) == 4


def test_parallel_calls(stage: Stage) -> None:
    stage.provider.then([shell("echo left"), shell("echo right")], "Both.")
    assert stage.codex.exec("work").answer == "Both."
    first, second = stage.provider.requests[-1].outputs
    assert first.endswith("left\n")
    assert second.endswith("right\n")


def test_no_arguments_for_a_tool_without_parameters(stage: Stage) -> None:
    # pitfall 6: an empty string is what some models write
    stage.provider.then(Call("get_goal", "" if stage.kind.sparing else "{}"), "None yet.")
    assert stage.codex.exec("work").answer == "None yet."
    assert len(stage.provider.requests[-1].outputs) == 1


def test_reasoning_comes_back_over_three_turns_and_a_restart(stage: Stage) -> None:
    # pitfalls 33, 117, 119, 121: the fake refuses a tool-call turn whose reasoning is not the very one it gave
    provider, codex = stage.provider, stage.codex
    provider.then([Think("First thoughts ✓"), shell("echo one")], [Think("Second."), shell("echo two")], "Half done.")
    turn = codex.exec("work")
    assert turn.done.ok() and turn.answer == "Half done."
    assert provider.requests[-1].thoughts == ["First thoughts ✓", "Second."]

    stage.hub.restart()
    provider.then([Think("Third."), Say("Going on."), shell("echo three")], "All done.")
    turn = codex.resume(turn.session, "go on")
    assert turn.done.ok() and turn.answer == "All done."
    assert provider.requests[-1].thoughts == ["First thoughts ✓", "Second.", "Third."]


def test_reasoning_is_shown(stage: Stage) -> None:
    # pitfall 32
    stage.provider.then([Think("Let me see."), Say("Fine.")])
    turn = stage.codex.exec("work", "-c", 'model_reasoning_summary="auto"')
    assert [item["text"] for item in turn.items("reasoning")] == ["Let me see."]


def test_resume_keeps_trace_and_history(stage: Stage) -> None:
    stage.provider.then("My name is Ada.", "Ada, as I said.")
    first = stage.codex.exec("what is your name?")
    again = stage.codex.resume(first.session, "once more?")
    assert again.answer == "Ada, as I said."
    assert again.session == first.session
    assert "My name is Ada." in stage.provider.requests[-1].text
    assert {row["trace_id"] for row in stage.hub.requests(first.session, count=2)} == {first.session}


def test_output_schema(stage: Stage) -> None:
    # pitfall 15; DeepSeek knows json_object only and wants the word in the prompt
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    (stage.codex.work / "schema.json").write_text(json.dumps({**schema, "additionalProperties": False}))
    stage.provider.then('{"sum": 4}')
    turn = stage.codex.exec("2+2", "--output-schema", "schema.json")
    assert json.loads(turn.answer) == {"sum": 4}
    (row,) = stage.hub.requests(turn.session, count=1)
    lost = {"format", "format.schema"} & {loss["field"] for loss in row["losses"]}
    if stage.kind.schema:
        assert '"sum"' in json.dumps(stage.provider.requests[-1].body)
        assert '"sum"' not in stage.provider.requests[-1].text
        assert not lost
    else:
        assert '"sum"' in stage.provider.requests[-1].text
        assert lost


def test_two_sessions_are_two_traces(stage: Stage) -> None:
    stage.provider.then("one", "two")
    first, second = stage.codex.exec("a"), stage.codex.exec("b")
    assert first.session != second.session
    for turn in (first, second):
        assert len(stage.hub.requests(turn.session, count=1)) == 1


def test_output_limit_ends_the_turn_with_one_request(stage: Stage) -> None:
    # pitfall 54, and wire.md M: Codex does not repeat response.incomplete
    stage.provider.then(Reply((Say("Half an ans"),), length=True))
    turn = stage.codex.exec("talk")
    assert turn.done.code != 0
    assert "max_output_tokens" in turn.errors
    assert stage.provider.calls == 1
