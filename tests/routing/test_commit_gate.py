from __future__ import annotations

from axonhub_cli.routing.commit_gate import CommitGate


def test_nothing_leaves_before_output() -> None:  # pitfalls 135, 136
    gate = CommitGate(now=0)
    assert gate.add(b"created", output=False) == b""
    assert gate.add(b"in_progress", output=False) == b""
    assert not gate.committed and gate.held == 18
    assert gate.add(b"delta", output=True) == b"createdin_progressdelta"
    assert gate.committed and gate.held == 0
    assert gate.add(b"more", output=False) == b"more"


def test_it_gives_up_holding_at_the_deadline() -> None:
    gate = CommitGate(now=100, patience=30)
    gate.add(b"created", output=False)
    assert gate.expire(129.9) == b"" and not gate.committed
    assert gate.expire(130) == b"created" and gate.committed
    assert gate.expire(200) == b""


def test_silence_is_committed_too() -> None:
    gate = CommitGate(now=0, patience=1)
    assert gate.expire(1) == b"" and gate.committed


def test_it_holds_only_so_much() -> None:
    gate = CommitGate(now=0, limit=4)
    assert gate.add(b"1234", output=False) == b""
    assert gate.add(b"5", output=False) == b"12345"
    assert gate.committed
