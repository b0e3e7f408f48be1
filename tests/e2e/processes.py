"""Programs under test: started in a process group of their own, never outliving the test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Done:
    """A program that has ended."""

    code: int
    stdout: str
    stderr: str

    def ok(self) -> Done:
        assert self.code == 0, (
            f"exit code {self.code}\n--- stdout\n{self.stdout[-4000:]}\n--- stderr\n{self.stderr[-4000:]}"
        )
        return self


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, stdin: str = "", seconds: float = 60
) -> Done:
    """Runs it to its end; after `seconds` its whole group is killed and the test fails."""
    process = start(command, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(stdin.encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        out, err = process.communicate()
        raise AssertionError(f"{command[0]} took more than {seconds} s\n{_text(out)}\n{_text(err)}") from None
    finally:
        kill(process)
    return Done(process.returncode, _text(out), _text(err))


def start(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, **streams: Any
) -> subprocess.Popen[bytes]:
    words = [str(word) for word in command]
    return subprocess.Popen(words, env=dict(env), cwd=cwd, start_new_session=True, **streams)


def kill(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGKILL) -> None:
    """The group, so that nothing it started stays."""
    try:
        os.killpg(process.pid, how)
    except ProcessLookupError:
        return
    if how is signal.SIGKILL:
        process.wait(10)


def bare_env(home: Path, **more: str) -> dict[str, str]:
    """An environment with nothing of the person's own in it; loopback without proxies."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    return {**env, "NO_PROXY": "127.0.0.1,localhost", "TMPDIR": os.environ.get("TMPDIR", "/tmp"), **more}


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")
