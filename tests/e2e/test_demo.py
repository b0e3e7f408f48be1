"""Real Codex on the built-in demo model: no key of a vendor, no network."""

from pathlib import Path

import pytest

from tests.e2e.hub import Hub

pytestmark = pytest.mark.e2e


@pytest.fixture
def demo(hub: Hub) -> Hub:
    hub.do("channel", "add", "demo", "--type", "demo")
    hub.do("profile", "add", "all", "--map", "gpt-5=demo")
    hub.do("profile", "activate", "all")
    return hub.start()


@pytest.mark.parametrize("auth", ["env", "command"])
def test_the_demo_model_runs_a_command_and_writes_a_file(demo: Hub, tmp_path: Path, auth: str) -> None:
    key = demo.create_key("own")
    codex = demo.codex(tmp_path / "codex", key, "--auth", auth, model="gpt-5")
    turn = codex.exec("run echo hello-from-demo")
    assert "hello-from-demo" in turn.answer
    calls = turn.items("command_execution")
    assert len(calls) == 1
    assert "hello-from-demo" in calls[0]["aggregated_output"]
    turn = codex.exec("create file made.txt with hello there")
    assert (codex.work / "made.txt").read_text().strip() == "hello there"
    # With the hub's catalog Codex offers apply_patch; without it the shell has to do.
    assert len(turn.items("file_change" if auth == "command" else "command_execution")) == 1
    rows = demo.json("traces", "list")
    assert {row["client_model"] for row in rows} == {"gpt-5"}
    assert {row["status"] for row in rows} == {"completed"}
    assert len({row["trace_id"] for row in rows}) == 2
