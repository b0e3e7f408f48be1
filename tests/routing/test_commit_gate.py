from __future__ import annotations

from axonhub_cli.routing.commit_gate import CommitGate


def test_nothing_leaves_before_output() -> None:  # pitfalls 135, 136
    gate = CommitGate()
    assert gate.add(b"created", output=False) == b""
    assert gate.add(b"in_progress", output=False) == b""
    assert not gate.committed and gate.held == 18
    assert gate.add(b"delta", output=True) == b"createdin_progressdelta"
    assert gate.committed and gate.held == 0
    assert gate.add(b"more", output=False) == b"more"


def test_it_holds_only_so_much() -> None:
    gate = CommitGate(limit=4)
    assert gate.add(b"1234", output=False) == b""
    assert gate.add(b"5", output=False) == b"12345"
    assert gate.committed
