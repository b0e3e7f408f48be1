"""Real Claude Code through the hub: passed through to Claude, translated for every other kind of upstream."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.claude_code import ClaudeCode
from tests.e2e.conftest import KINDS, Stage, keep_their_secrets
from tests.e2e.hub import Hub
from tests.e2e.pictures import one_page, red_square
from tests.fakes.provider import Provider
from tests.fakes.script import Call, Fault, Reply, Say, Think

pytestmark = pytest.mark.e2e

MCP = Path(__file__).parents[1] / "fakes" / "mcp_server.py"


def bash(command: str) -> Call:
    return Call("Bash", {"command": command, "description": "runs it"})


def test_tool_loop_with_parallel_calls_and_an_edited_file(stage: Stage) -> None:
    # pitfalls 68, 81, 168
    provider, made = stage.provider, stage.claude.work / "made.txt"
    write = Call("Write", {"file_path": str(made), "content": "one\ntwo ✓\n"})
    edit = Call("Edit", {"file_path": str(made), "old_string": "one", "new_string": "three"})
    provider.then(
        [Think("Let me see."), bash("echo hi")],
        [Say("Going on."), bash("echo left"), bash("echo right")],
        write,
        edit,
        Reply((Say("All done."),), usage=(9000, 600, 50, 0)),
    )
    turn = stage.claude.ask("work")
    assert turn.done.ok() and turn.answer == "All done."
    assert made.read_text() == "three\ntwo ✓\n"
    last = provider.requests[-1]
    first, *both = (output.strip() for output in last.outputs[:3])
    assert first == "hi" and sorted(both) == ["left", "right"]  # the one that was done first comes first
    assert len(last.outputs) == 5
    assert "Going on." in last.text

    rows = stage.hub.requests(turn.session, count=5)
    assert {row["trace_id"] for row in rows} == {turn.session}
    assert {row["status"] for row in rows} == {"completed"}
    assert {row["client_protocol"] for row in rows} == {"anthropic_messages"}
    assert {row["upstream_protocol"] for row in rows} == {stage.kind.protocol}
    assert {row["upstream_model"] for row in rows} == {stage.kind.model}
    assert (rows[-1]["input_tokens"], rows[-1]["cached_tokens"], rows[-1]["output_tokens"]) == (9000, 600, 50)


def test_thinking_comes_back_after_a_restart(stage: Stage) -> None:
    # pitfalls 63, 65, 119: the fakes refuse reasoning that is not to the byte what they gave
    provider, claude = stage.provider, stage.claude
    provider.then([Think("First thoughts ✓"), bash("echo one")], [Think("Second."), bash("echo two")], "Half done.")
    turn = claude.ask("work")
    assert turn.done.ok() and turn.answer == "Half done."
    assert provider.requests[-1].thoughts == ["First thoughts ✓", "Second."]

    stage.hub.restart()
    provider.then([Think("Third."), Say("On."), bash("echo three")], "All done.")
    turn = claude.resume(turn.session, "go on")
    assert turn.done.ok() and turn.answer == "All done."
    assert provider.requests[-1].thoughts == ["First thoughts ✓", "Second.", "Third."]
    assert {row["trace_id"] for row in stage.hub.requests(turn.session, count=5)} == {turn.session}


def test_thinking_is_shown(stage: Stage) -> None:
    # OpenAI and Gemini tell what was thought only where they are asked to
    stage.provider.then([Think("Let me see ✓"), Say("Fine.")])
    turn = stage.claude.ask("work")
    blocks = [block for event in turn.events if event["type"] == "assistant" for block in event["message"]["content"]]
    assert [block["thinking"] for block in blocks if block["type"] == "thinking"] == ["Let me see ✓"]


def test_the_answer_is_shown_whatever_signs_it(stage: Stage) -> None:
    # Gemini signs its last text: what comes after the words is not the answer
    stage.provider.then([Think("Let me see."), Say("The answer.")], "And more.")
    turn = stage.claude.ask("what is it?")
    assert turn.done.ok() and turn.answer == "The answer."
    turn = stage.claude.resume(turn.session, "and?")
    assert turn.done.ok() and turn.answer == "And more."
    assert "The answer." in stage.provider.requests[-1].text


def test_sub_agent_on_a_small_model(stage: Stage) -> None:
    # pitfalls 84, 101: names of small models have a rule of their own
    provider = stage.provider
    provider.when(lambda request: "COUNT THE FILES" in request.last_user, "There are seven files.")
    task = {"description": "counts", "prompt": "COUNT THE FILES", "subagent_type": "general-purpose", "model": "haiku"}
    provider.then(Call("Agent", {**task, "run_in_background": False}), "Seven, says my agent.")
    turn = stage.claude.ask("how many files?")
    assert turn.done.ok() and turn.answer == "Seven, says my agent."
    assert "There are seven files." in provider.requests[-1].text
    assert [request.model for request in provider.requests] == [stage.kind.model, stage.kind.small, stage.kind.model]
    rows = stage.hub.requests(turn.session, count=3)
    assert {row["trace_id"] for row in rows} == {turn.session}


def test_image_that_was_read(stage: Stage) -> None:
    # pitfalls 10, 11, 78
    stage.claude.work.mkdir(parents=True)
    (stage.claude.work / "a.png").write_bytes(red_square())
    stage.provider.then(Call("Read", {"file_path": str(stage.claude.work / "a.png")}), "Red.")
    turn = stage.claude.ask("look")
    assert turn.done.ok() and turn.answer == "Red."
    last = stage.provider.requests[-1]
    assert [url[:22] for url in last.images] == (["data:image/png;base64,"] if stage.kind.sees else [])
    assert "iVBOR" not in last.text


def test_pdf_that_was_read(stage: Stage) -> None:
    # pitfalls 27, 78
    stage.claude.work.mkdir(parents=True)
    (stage.claude.work / "a.pdf").write_bytes(one_page("Hello"))
    stage.provider.then(Call("Read", {"file_path": str(stage.claude.work / "a.pdf")}), "It says hello.")
    turn = stage.claude.ask("read it")
    assert turn.done.ok() and turn.answer == "It says hello."
    assert ("JVBERi0xLjQ" in json.dumps(stage.provider.requests[-1].body)) is stage.kind.reads
    lost = [loss["field"] for loss in stage.hub.requests(turn.session, count=2)[-1]["losses"]]
    assert ("messages.file" in lost) is not stage.kind.reads


def test_mcp_tool_that_was_searched_for(stage: Stage) -> None:
    # pitfalls 82, 83: this Claude Code defers tools behind any address; `defer_loading` and `tool_reference` are
    # Anthropic's own, elsewhere the model is told in words of a tool that was found
    stage.provider.then(
        Call("ToolSearch", {"query": "select:mcp__words__lookup", "max_results": 3}),
        Call("mcp__words__lookup", {"name": "Bob"}),
        "Marzipan.",
    )
    servers = {"mcpServers": {"words": {"command": sys.executable, "args": [str(MCP)]}}}
    turn = stage.claude.ask("who is Bob?", "--mcp-config", json.dumps(servers))
    assert turn.done.ok() and turn.answer == "Marzipan."
    assert "mcp__words__lookup" not in stage.provider.requests[0].tools
    assert "mcp__words__lookup" in stage.provider.requests[1].tools
    assert "Bob is called marzipan" in stage.provider.requests[-1].outputs[-1]


def test_cache_marks_are_kept_for_claude_and_for_nobody_else(stage: Stage) -> None:
    # pitfall 77
    stage.provider.then(bash("echo one"), bash("echo two"), "Done.")
    turn = stage.claude.ask("work")
    assert turn.answer == "Done."
    rows = stage.hub.requests(turn.session, count=3)
    marked = ["cache_control" in json.dumps(request.body) for request in stage.provider.requests]
    if stage.kind.protocol == "anthropic_messages":
        assert marked == [True, True, True]
        assert 0 < rows[0]["cache_written_tokens"] <= rows[1]["cached_tokens"] < rows[2]["cached_tokens"]
        assert turn.result["usage"]["cache_read_input_tokens"] == sum(row["cached_tokens"] for row in rows)
    else:
        assert marked == [False, False, False]
        assert all(any("cache_control" in loss["field"] for loss in row["losses"]) for row in rows)


def test_what_fills_the_context(stage: Stage) -> None:
    # pitfall 81: Claude Code counts the pieces of its context, by the upstream where that can count, else by ourselves
    turn = stage.claude.ask("/context")
    assert turn.done.ok() and "Tokens" in turn.answer
    rows = stage.hub.requests(turn.session)
    assert {(row["operation"], row["http_status"], row["status"]) for row in rows} == {
        ("count_tokens", 200, "completed")
    }
    assert stage.provider.calls == 0


def test_wrong_key(stage: Stage) -> None:
    claude = replace(stage.claude, key="ah-" + "x" * 43)
    turn = claude.ask("work")
    assert turn.done.code != 0
    assert "401" in turn.answer and "axonhub" in turn.answer.lower()
    assert stage.provider.calls == 0


@pytest.mark.parametrize(("ours", "theirs"), [*itertools.permutations(KINDS, 2)])
def test_a_profile_switched_in_mid_session(
    hub: Hub, provider_of: Callable[[str], Provider], tmp_path: Path, ours: str, theirs: str
) -> None:
    # pitfalls 60, 64, 67, 128: each vendor gets its own state back and nothing of the other's, and refuses nothing
    first, second = provider_of(ours), provider_of(theirs)
    for name, kind, provider in (("first", KINDS[ours], first), ("second", KINDS[theirs], second)):
        hub.add_channel(name, provider, kind.channel, "--model", kind.model)
        hub.do("profile", "add", name, "--map-regex", f"claude-.*={name}/{kind.model}")
    claude = ClaudeCode(tmp_path / "me", hub, hub.create_key("claude", "--profile", "first"))
    hub.start()

    first.then([Think("Deep."), bash("echo one")], "One.")
    turn = claude.ask("first")
    assert turn.answer == "One."
    hub.do("profile", "activate", "second", "--key", "claude")
    second.then([Think("Wide."), bash("echo two")], "Two.")
    assert claude.resume(turn.session, "second").answer == "Two."
    assert second.requests[-1].thoughts[-1] == "Wide."
    hub.do("profile", "activate", "first", "--key", "claude")
    first.then([Think("Deeper."), bash("echo three")], "Three.")
    assert claude.resume(turn.session, "third").answer == "Three."

    assert [first.requests[-1].thoughts[at] for at in (0, -1)] == ["Deep.", "Deeper."]
    assert [output.strip() for output in first.requests[-1].outputs] == ["one", "two", "three"]
    keep_their_secrets(first, second)
    rows = hub.requests(turn.session, count=6)
    assert [row["channel"] for row in rows] == ["first"] * 2 + ["second"] * 2 + ["first"] * 2


def test_overloaded_for_a_while(stage: Stage) -> None:
    provider = stage.provider
    provider.when(lambda request: provider.calls < 5, Fault(529, "Overloaded"), forever=True)
    provider.then("Fine.")
    turn = stage.claude.ask("work")
    assert turn.done.ok() and turn.answer == "Fine."
    *failed, last = (row["status"] for row in stage.hub.requests(turn.session))
    assert set(failed) == {"failed"} and last == "completed"


def test_refused_for_good(stage: Stage) -> None:
    stage.provider.when(lambda request: True, Fault(400, "That is not for me."), forever=True)
    turn = stage.claude.ask("work")
    assert turn.done.code != 0
    assert "400" in turn.answer and "That is not for me." in turn.answer
    assert {row["http_status"] for row in stage.hub.requests(turn.session)} == {400}


@pytest.mark.parametrize("how", [{"cut": 6}, {"error": "The engine broke."}])
def test_answer_that_breaks_off(stage: Stage, how: dict[str, Any]) -> None:
    # pitfall 86: what was begun is asked for again, by the hub where nothing has been shown yet, else by Claude Code
    stage.provider.then(Reply((Think("Hm."), Say("Half of "), Say("a long answer")), **how), "Whole.")
    turn = stage.claude.ask("work")
    assert turn.done.ok() and turn.answer == "Whole."
    *failed, last = stage.hub.requests(turn.session)
    assert {row["status"] for row in failed} <= {"failed"}
    assert last["status"] == "completed"
    assert len(failed) + last["attempts"] == 2
