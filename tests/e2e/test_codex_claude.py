"""Real Codex on Claude: what only Claude has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Stage
from tests.e2e.hub import Hub
from tests.fakes.messages import MessagesProvider
from tests.fakes.provider import Provider
from tests.fakes.script import Call, Say, Think

pytestmark = pytest.mark.e2e

ECHO = Call("exec_command", {"cmd": "echo hi"})


@pytest.fixture
def claude(stage_of: Callable[[str], Stage]) -> Stage:
    return stage_of("anthropic")


def test_each_turn_reads_the_cache_that_the_last_one_wrote(claude: Stage) -> None:
    # pitfalls 20, 77: the fake caches as Anthropic does, so a beginning that changed by one byte would be paid again
    claude.provider.then([Think("Hm."), ECHO], [Say("More."), ECHO, ECHO], "Done.")
    turn = claude.codex.exec("work")
    claude.provider.then("Again.")
    claude.codex.resume(turn.session, "again")
    assert [request.marks for request in claude.provider.requests] == [3, 4, 4, 4]
    rows = claude.hub.requests(turn.session, count=4)
    first, *others = (row["cached_tokens"] for row in rows)
    sizes = [row["input_tokens"] for row in rows]
    assert first < others[0] < others[1] < others[2]
    assert all(read > 0.95 * size for read, size in zip(others, sizes, strict=False))


def test_redacted_thinking_comes_back(claude: Stage) -> None:
    # pitfall 63
    claude.provider.then([Think("Hidden.", redacted=True), Think("Open."), ECHO], "Done.")
    assert claude.codex.exec("work").answer == "Done."
    kinds = [block["type"] for block in claude.provider.requests[-1].blocks if "thinking" in block["type"]]
    assert kinds == ["redacted_thinking", "thinking"]
    assert claude.provider.requests[-1].thoughts == ["Hidden.", "Open."]


def test_a_claude_that_wants_a_budget(hub: Hub, provider_of: Callable[[str], Provider], tmp_path: Path) -> None:
    # pitfalls 63, 66, 72: signed thinking begins the loop, also after a restart
    provider = provider_of("anthropic")
    assert isinstance(provider, MessagesProvider)
    hub.add_channel("main", provider, "anthropic")
    hub.do("profile", "add", "main", "--map", "gpt-5.5=claude-haiku-4-5")
    codex = hub.codex(tmp_path / "me", hub.create_key("codex", "--profile", "main"))
    hub.start()
    provider.then([Think("First ✓"), ECHO], [Think("Second."), ECHO], "Half done.")
    turn = codex.exec("work")
    assert turn.done.ok() and turn.answer == "Half done."
    hub.restart()
    provider.then([Think("Third."), ECHO], "Done.")
    assert codex.resume(turn.session, "go on").answer == "Done."
    assert provider.requests[-1].thoughts == ["First ✓", "Second.", "Third."]
    assert {request.body["thinking"]["type"] for request in provider.requests} == {"enabled"}
