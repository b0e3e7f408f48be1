"""Real Gemini CLI through the hub: on its own protocol, and on everybody else's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import KINDS, Kind
from tests.e2e.gemini_cli import GeminiCLI
from tests.e2e.hub import Hub
from tests.fakes.provider import Provider
from tests.fakes.script import Call, Fault, Reply, Say, Think

pytestmark = pytest.mark.e2e

NewProvider = Callable[[str], Provider]
PRO = "gemini-3.1-pro-preview"  # what Gemini CLI makes of gemini-3-pro-preview


def shell(command: str) -> Call:
    return Call("run_shell_command", {"command": command, "description": "runs it"})


def set_up(hub: Hub, provider: Provider, kind: Kind, root: Path) -> GeminiCLI:
    """One channel, and a profile with a target for its models where they are not the channel's own."""
    hub.add_channel("main", provider, kind.channel)
    target = PRO if kind.protocol == "gemini" else kind.model
    hub.do("profile", "add", "main", "--map", f"{PRO}={target}")
    key = hub.create_key("cli", "--profile", "main")
    hub.start()
    return GeminiCLI(root / "me", hub, key)


@pytest.mark.parametrize("kind", KINDS)
def test_tool_loop(hub: Hub, provider_of: NewProvider, tmp_path: Path, kind: str) -> None:
    # pitfalls 88, 91, 99, 100, 166: nothing is asked twice, and what was thought comes back to who thought it
    provider = provider_of(kind)
    gemini = set_up(hub, provider, KINDS[kind], tmp_path)
    parallel = [shell("echo two"), Call("write_file", {"file_path": str(gemini.work / "b.txt"), "content": "zwei ✓\n"})]
    provider.then([Think("First."), Say("So."), shell("echo one > a.txt")], [Think("Second."), *parallel], "Done.")
    answer = gemini.ask("work")
    answer.done.ok()
    assert answer.text == "Done."
    assert (gemini.work / "a.txt").read_text() == "one\n"
    assert (gemini.work / "b.txt").read_text() == "zwei ✓\n"
    last = provider.requests[-1]
    assert len(last.outputs) == 3 and "two" in last.outputs[1]
    assert last.thoughts == ["First.", "Second."]
    rows = hub.requests(count=3)
    assert {(row["status"], row["client_protocol"], row["attempts"]) for row in rows} == {("completed", "gemini", 1)}
    assert {row["upstream_protocol"] for row in rows} == {KINDS[kind].protocol}
    assert [{row["trace_source"] for row in rows}, len({row["trace_id"] for row in rows})] == [{"contents"}, 1]
    counts = answer.json["stats"]["models"][PRO]["tokens"]
    assert counts["prompt"] == sum(row["input_tokens"] for row in rows)
    assert counts["candidates"] + counts["thoughts"] == sum(row["output_tokens"] for row in rows)


def test_a_session_is_taken_up_again(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    # Gemini CLI 0.61 itself drops all signatures then, and sends each result twice (pitfalls 8, 89)
    provider = provider_of("openai")
    gemini = set_up(hub, provider, KINDS["openai"], tmp_path)
    provider.then([Think("First."), shell("echo one")], "My name is Ada.")
    assert gemini.ask("who are you?").text == "My name is Ada."
    hub.restart()
    provider.then([Think("Second."), shell("echo two")], "Ada, as I said.")
    assert gemini.ask("once more?", "--resume", "latest").text == "Ada, as I said."
    assert "My name is Ada." in provider.requests[-1].text
    assert len(provider.requests[-1].outputs) == 2
    assert provider.requests[-1].thoughts == ["Second."]


def test_helper_models_are_asked_of_a_smaller_one(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    # pitfall 101: with `auto` a small model is first asked how hard the question is
    provider = provider_of("deepseek")
    hub.add_channel("main", provider, "deepseek")
    small, big = ("--map-regex", "gemini-.*flash.*=deepseek-chat"), ("--map-regex", "gemini-.*=deepseek-reasoner")
    hub.do("profile", "add", "main", *small, *big)
    gemini = GeminiCLI(tmp_path / "me", hub, hub.create_key("cli", "--profile", "main"))
    hub.start()
    hard = '{"reasoning": "many steps", "model_choice": "pro", "complexity_reasoning": "x", "complexity_score": 95}'
    provider.when(lambda request: request.model == "deepseek-chat", hard)
    provider.then("Done.")
    answer = gemini.ask("rewrite everything", model="auto")
    answer.done.ok()
    assert answer.text == "Done."
    assert [request.model for request in provider.requests] == ["deepseek-chat", "deepseek-reasoner"]


def test_an_answer_of_thoughts_alone_is_asked_for_once(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    # pitfall 99: Gemini CLI throws a stream away that says nothing, and asks again
    provider = provider_of("deepseek")
    gemini = set_up(hub, provider, KINDS["deepseek"], tmp_path)
    provider.then([Think("Hm.")])
    gemini.ask("work").done.ok()
    assert provider.calls == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_told(hub: Hub, provider_of: NewProvider, tmp_path: Path, kind: str) -> None:
    provider = provider_of(kind)
    gemini = set_up(hub, provider, KINDS[kind], tmp_path)
    provider.then(Fault(400, "The prompt is about something we do not do."))
    answer = gemini.ask("work")
    assert answer.done.code != 0
    assert "something we do not do" in answer.done.stderr + answer.done.stdout
    assert [row["status"] for row in hub.requests(count=1)] == ["failed"]


def test_a_wrong_key_is_told(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    provider = provider_of("gemini")
    set_up(hub, provider, KINDS["gemini"], tmp_path)
    answer = GeminiCLI(tmp_path / "other", hub, "ah-" + "x" * 43).ask("work")
    assert answer.done.code != 0
    assert "axonhub" in (answer.done.stderr + answer.done.stdout).lower()
    assert provider.calls == 0


@pytest.mark.parametrize("kind", ["deepseek", "gemini"])
def test_a_stream_that_breaks_is_asked_for_again(hub: Hub, provider_of: NewProvider, tmp_path: Path, kind: str) -> None:
    # pitfall 144: half an answer is not taken for a whole one
    provider = provider_of(kind)
    gemini = set_up(hub, provider, KINDS[kind], tmp_path)
    provider.then(Reply((Say("Half of it"),), cut=3), Reply((Say("Whole."),)))
    answer = gemini.ask("work")
    answer.done.ok()
    assert answer.text.endswith("Whole.")
    assert [row["status"] for row in hub.requests(count=2)] == ["failed", "completed"]
