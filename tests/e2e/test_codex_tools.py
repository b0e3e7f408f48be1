"""Real Codex through the hub: every kind of tool it has."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Stage
from tests.e2e.hub import Hub
from tests.e2e.pictures import red_square
from tests.fakes.chat import ChatProvider
from tests.fakes.chat_rules import COMPATIBLE
from tests.fakes.script import Call, Custom, Say, Search, Think

pytestmark = pytest.mark.e2e

ADD_FILE = '*** Begin Patch\n*** Add File: made.txt\n+hello "patch"\n+zwei ✓\n*** End Patch\n'
MADE = 'hello "patch"\nzwei ✓\n'
MCP = Path(__file__).parents[1] / "fakes" / "mcp_server.py"


def test_apply_patch_changes_a_file(stage: Stage) -> None:
    # pitfall 103
    (stage.codex.work / "old.txt").write_text("one\ntwo\n")
    update = "*** Begin Patch\n*** Update File: old.txt\n@@\n one\n-two\n+three\n*** End Patch\n"
    stage.provider.then([Think("Patching."), Custom("apply_patch", ADD_FILE)], Custom("apply_patch", update), "Done.")
    turn = stage.codex.exec("patch it")
    assert turn.done.ok() and turn.answer == "Done."
    assert (stage.codex.work / "made.txt").read_text() == MADE
    assert (stage.codex.work / "old.txt").read_text() == "one\nthree\n"
    assert "Success" in stage.provider.requests[-1].outputs[1]


MALFORMED = {
    "fenced": json.dumps({"input": f"```\n{ADD_FILE}```"}),
    "starred": json.dumps({"input": ADD_FILE.replace("Begin Patch", "Begin Patch ***")}),
    "command": json.dumps({"command": ["apply_patch", ADD_FILE]}),
    "wrapped twice": json.dumps({"input": json.dumps({"input": ADD_FILE})}),
    "not wrapped": ADD_FILE,
}


@pytest.mark.parametrize("shape", MALFORMED)
def test_malformed_patch_is_mended(deepseek: Stage, shape: str) -> None:
    # pitfall 103
    deepseek.provider.then(Custom("apply_patch", ADD_FILE, lowered=MALFORMED[shape]), "Done.")
    assert deepseek.codex.exec("patch it").answer == "Done."
    assert (deepseek.codex.work / "made.txt").read_text() == MADE


def test_view_image(stage: Stage) -> None:
    # pitfalls 10, 11: DeepSeek takes no images, so the model is told that there was one
    (stage.codex.work / "a.png").write_bytes(red_square())
    stage.provider.then(Call("view_image", {"path": "a.png"}), "Red.")
    turn = stage.codex.exec("look")
    assert turn.done.ok() and turn.answer == "Red."
    last = stage.provider.requests[-1]
    if not stage.kind.sees:
        assert last.images == []
        assert "image" in last.outputs[0].lower()
        assert "iVBOR" not in last.text
        assert any(row["losses"] for row in stage.hub.requests(turn.session, count=2))
    else:
        assert last.images[0].startswith("data:image/png;base64,")


def test_view_image_on_a_chat_vendor_that_sees(hub: Hub, tmp_path: Path) -> None:
    # pitfall 10: pictures of tools travel in a user message behind the tool's
    with ChatProvider(Call("view_image", {"path": "a.png"}), "Red.", dialect=COMPATIBLE) as provider:
        hub.add_channel("main", provider, "openai-compatible")
        codex = hub.codex(tmp_path / "me", hub.create_key())
        hub.start()
        (codex.work / "a.png").write_bytes(red_square())
        assert codex.exec("look").answer == "Red."
        provider.assert_used_up()
    assert len(provider.requests[-1].images) == 1
    assert [message["role"] for message in provider.requests[-1].messages[-2:]] == ["tool", "user"]


def test_image_in_the_prompt(stage: Stage) -> None:
    (stage.codex.work / "a.png").write_bytes(red_square())
    stage.provider.then("Seen.")
    turn = stage.codex.exec("look", "-i", "a.png", "--")
    assert turn.done.ok() and turn.answer == "Seen."
    assert len(stage.provider.requests[-1].images) == (1 if stage.kind.sees else 0)


def use_mcp(stage: Stage) -> None:
    python = json.dumps(sys.executable)
    with stage.codex.config.open("a") as config:
        config.write(f"\n[mcp_servers.words]\ncommand = {python}\nargs = [{json.dumps(str(MCP))}]\n")


def test_mcp_tool_found_by_search(stage: Stage) -> None:
    # pitfalls 106, 108: what a search found must be callable from then on
    use_mcp(stage)
    stage.provider.then(
        [Think("Who?"), Search("lookup name")], Call("lookup", {"name": "Bob"}, "mcp__words"), "Marzipan."
    )
    turn = stage.codex.exec("who is Bob?")
    assert turn.done.ok() and turn.answer == "Marzipan."
    assert "mcp__words__lookup" not in stage.provider.requests[0].tools
    assert "mcp__words__lookup" in stage.provider.requests[1].tools
    assert "Bob is called marzipan" in stage.provider.requests[-1].outputs[-1]
    assert [item["tool"] for item in turn.items("mcp_tool_call")] == ["lookup"]


def test_mcp_tool_in_a_namespace(stage: Stage) -> None:
    # pitfall 106: models that Codex does not know get the namespaces at once
    use_mcp(stage)
    stage.provider.then(Call("lookup", {"name": "Eve"}, "mcp__words"), "Marzipan.")
    turn = stage.codex.exec("who is Eve?", "-m", "gpt-5")
    assert turn.done.ok() and turn.answer == "Marzipan."
    assert "Eve is called marzipan" in stage.provider.requests[-1].outputs[-1]


def test_code_mode(stage: Stage) -> None:
    # pitfalls 21, 107, 112: no `tools` at all, JavaScript as freeform input
    code = "const r = await tools.exec_command({cmd: 'echo \"from code\"'});\ntext(r.output)\n"
    stage.provider.then([Think("Coding."), Custom("exec", code, "functions")], "Ran.")
    turn = stage.codex.exec("work", "-m", "gpt-6-sol")
    assert turn.done.ok() and turn.answer == "Ran."
    assert "from code" in stage.provider.requests[-1].outputs[0]


def test_broken_arguments_go_back_to_the_model(deepseek: Stage) -> None:
    # pitfall 46: nothing half-written is run, and the session can go on
    deepseek.provider.then(
        Call("exec_command", '{"cmd": "touch half'), Call("exec_command", {"cmd": "echo ok"}), "Fine."
    )
    turn = deepseek.codex.exec("work")
    assert turn.done.ok() and turn.answer == "Fine."
    assert not (deepseek.codex.work / "half").exists()


def test_numbers_in_the_wrong_clothes(deepseek: Stage) -> None:
    # pitfall 47: Codex refuses 1000.0 for an integer
    arguments = '{"cmd": "echo fine", "yield_time_ms": 1000.0}'
    deepseek.provider.then([Say("So."), Call("exec_command", arguments)], "Fine.")
    assert deepseek.codex.exec("work").answer == "Fine."
    assert deepseek.provider.requests[-1].outputs[0].endswith("fine\n")
