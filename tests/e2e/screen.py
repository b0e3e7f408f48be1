"""A terminal for programs that want one: tmux with a server of its own."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self


class Screen:
    """Runs a command on a screen of 120 by 50; keys go in, what is visible comes out."""

    def __init__(self, command: list[str], *, env: Mapping[str, str], cwd: Path, socket: Path) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        self._env = dict(env)
        line = shlex.join(["env", "-i", *(f"{name}={value}" for name, value in env.items()), *command])
        self._do("new-session", "-d", "-x", "120", "-y", "50", "-c", str(cwd), line, ";", "set", "remain-on-exit", "on")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def type(self, text: str) -> None:
        self._do("send-keys", "-l", text)

    def submit(self, text: str) -> None:
        """Types a line and ends it, not so quickly that Codex takes it for something pasted."""
        self.type(text)
        self.wait_for(text)
        time.sleep(0.4)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: Enter, Escape, Down, C-c."""
        self._do("send-keys", *keys)

    def text(self) -> str:
        return self._do("capture-pane", "-p")

    def wait_for(self, *words: str, seconds: float = 20) -> str:
        """Until all of them are visible; the screen."""
        limit = time.monotonic() + seconds
        while True:
            shown = self.text()
            if all(word in shown for word in words):
                return shown
            assert time.monotonic() < limit, f"{words} did not appear:\n{shown}"
            time.sleep(0.1)

    def _do(self, *args: str) -> str:
        done = subprocess.run(
            [*self._tmux, *args], env=self._env, capture_output=True, text=True, timeout=10, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
