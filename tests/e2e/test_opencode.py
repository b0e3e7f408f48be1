"""Real OpenCode through the hub: over each of the four protocols on every kind of upstream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ALL_KINDS
from tests.e2e.hub import Hub
from tests.e2e.opencode import OpenCode
from tests.fakes.provider import Provider
from tests.fakes.script import Call, Fault, Reply, Say, Think

pytestmark = pytest.mark.e2e

NewProvider = Callable[[str], Provider]
MODEL = {kind: facts.model for kind, facts in ALL_KINDS.items()}


def bash(command: str) -> Call:
    return Call("bash", {"command": command, "description": "runs it"})


def wants_title(request: Any) -> bool:
    return not request.tools


def set_up(hub: Hub, provider: Provider, kind: str, root: Path, protocol: str = "openai_chat") -> OpenCode:
    """One channel, one key, and OpenCode under the channel's own model name."""
    facts = ALL_KINDS[kind]
    asked = ("--option", f"protocol={facts.protocol}") if facts.channel == "openai" else ()
    hub.add_channel("main", provider, facts.channel, *asked)
    key = hub.create_key("opencode")
    hub.start()
    provider.when(wants_title, "Files", forever=True)
    return OpenCode(root / "me", hub, key, protocol, MODEL[kind])


# True where OpenCode asks for thoughts and returns what it was given of them; over Chat it returns words only, and of
# a Claude it asks for none but in Gemini's words.
WAYS = {
    ("openai_chat", "deepseek"): True,
    ("openai_chat", "openai-chat"): False,
    ("openai_chat", "openai"): False,
    ("openai_chat", "anthropic"): False,
    ("openai_chat", "gemini"): False,
    ("openai_responses", "deepseek"): True,
    ("openai_responses", "openai"): True,
    ("openai_responses", "anthropic"): False,
    ("openai_responses", "gemini"): True,
    ("anthropic_messages", "deepseek"): True,
    ("anthropic_messages", "openai"): True,
    ("anthropic_messages", "anthropic"): False,
    ("anthropic_messages", "gemini"): True,
    ("gemini", "deepseek"): True,
    ("gemini", "openai"): True,
    ("gemini", "anthropic"): True,
    ("gemini", "gemini"): True,
}


@pytest.mark.parametrize(("protocol", "kind"), WAYS)
def test_tool_loop_and_a_second_turn(
    hub: Hub, provider_of: NewProvider, tmp_path: Path, protocol: str, kind: str
) -> None:
    # pitfalls 88, 119, 166: one trace for the session, one request for each step, also after a restart of the hub
    provider = provider_of(kind)
    opencode = set_up(hub, provider, kind, tmp_path, protocol)
    provider.then([Think("First."), Say("So."), bash("echo one > a.txt")])
    provider.then([Think("Second."), bash("echo two"), bash("echo drei ✓")], "Done.")
    first = opencode.ask("work")
    assert first.done.ok() and first.text == "Done."
    assert (opencode.work / "a.txt").read_text() == "one\n"
    outputs = provider.requests[-1].outputs
    assert len(outputs) == 3 and "two" in outputs[1] and "drei ✓" in outputs[2]
    hub.restart()
    provider.then([Think("Third."), bash("echo four")], "Still here.")
    again = opencode.ask("go on", "--session", first.session)
    assert again.done.ok() and again.text == "Still here."
    assert len(provider.requests[-1].outputs) == 4
    assert provider.requests[-1].thoughts == (["First.", "Second.", "Third."] if WAYS[protocol, kind] else [])
    rows = [row for row in hub.requests(first.session) if row["client_protocol"] == protocol]
    assert {(row["status"], row["attempts"], row["trace_source"]) for row in rows} == {("completed", 1, "x-session-id")}
    assert {row["upstream_protocol"] for row in rows} == {ALL_KINDS[kind].protocol}
    assert len(rows) == provider.calls


@pytest.mark.parametrize("kind", ["deepseek", "gemini"])
def test_an_error_is_told(hub: Hub, provider_of: NewProvider, tmp_path: Path, kind: str) -> None:
    provider = provider_of(kind)
    opencode = set_up(hub, provider, kind, tmp_path)
    provider.then(Fault(400, "The prompt is about something we do not do."))
    turn = opencode.ask("work")
    assert "something we do not do" in turn.errors


def test_a_wrong_key_is_told(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    provider = provider_of("gemini")
    set_up(hub, provider, "gemini", tmp_path)
    turn = OpenCode(tmp_path / "other", hub, "ah-" + "x" * 43, "openai_chat", MODEL["gemini"]).ask("work")
    assert "axonhub" in turn.errors.lower()
    assert provider.calls == 0


def test_output_limit_and_usage(hub: Hub, provider_of: NewProvider, tmp_path: Path) -> None:
    provider = provider_of("gemini")
    opencode = set_up(hub, provider, "gemini", tmp_path)
    provider.then(Reply((Say("Half an ans"),), length=True, usage=(1000, 600, 50, 20)))
    turn = opencode.ask("talk")
    (finish,) = turn.parts("step_finish")
    assert finish["reason"] == "length"
    tokens = finish["tokens"]
    assert (tokens["input"], tokens["cache"]["read"], tokens["output"], tokens["reasoning"]) == (400, 600, 30, 20)
