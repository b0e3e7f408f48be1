"""Real Codex on what each independent judge takes for each protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Court
from tests.e2e.judges import PROTOCOLS

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("upstream", PROTOCOLS)
def test_codex_on_aimock(court: Court, tmp_path: Path, upstream: str) -> None:
    """It runs the command it is told to run, and two sessions' worth of turns keep their history."""
    codex = court.hub.codex(tmp_path, court.key, model=f"aimock-{upstream}")
    turn = codex.exec("Please run echo for me.")
    assert turn.done.ok() and turn.answer == "It said judged."
    (command,) = turn.items("command_execution")
    assert (command["exit_code"], command["aggregated_output"].strip()) == (0, "judged")
    again = codex.resume(turn.session, "and once more")
    assert again.done.ok() and again.answer == "Judged again."
    rows = court.hub.requests(turn.session, count=3)
    assert {row["status"] for row in rows} == {"completed"}
    assert {row["upstream_protocol"] for row in rows} == {upstream}


@pytest.mark.parametrize("upstream", PROTOCOLS)
def test_codex_on_llmock(judged: Court, tmp_path: Path, upstream: str) -> None:
    """Its upstream is overloaded at first, and later breaks off before its answer; Codex sees neither."""
    call = {"name": "exec_command", "arguments": {"cmd": "echo judged"}}
    overloaded = {"type": "fail", "status": 529, "retry_after": 0}
    judged.llmock.play(overloaded, {"type": "reply", "tool_calls": [call]}, {"type": "reply", "text": "It said so."})
    codex = judged.hub.codex(tmp_path, judged.key, model=f"llmock-{upstream}")
    turn = codex.exec("Please run echo for me.")
    assert turn.done.ok() and turn.answer == "It said so."
    (command,) = turn.items("command_execution")
    assert command["aggregated_output"].strip() == "judged"
    broken = {"type": "stream_fault", "kind": "disconnect", "after_chunks": 0}
    judged.llmock.play(broken, {"type": "reply", "text": "Never seen."}, {"type": "reply", "text": "Judged again."})
    again = codex.resume(turn.session, "and once more")
    assert again.done.ok() and again.answer == "Judged again."
    rows = judged.hub.requests(turn.session, count=3)
    assert [(row["status"], row["attempts"]) for row in rows] == [("completed", 2), ("completed", 1), ("completed", 2)]
    assert judged.llmock.verdict() == []
