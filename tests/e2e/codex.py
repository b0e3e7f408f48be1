"""Real Codex with a home of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.clients import program
from tests.e2e.processes import Done, bare_env, run

# Kept out of the way: the network, what asks, and what would make requests of its own.
QUIET = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json")
QUIET_CONFIG = """
check_for_update_on_startup = false
[analytics]
enabled = false
[feedback]
enabled = false
"""


@dataclass(frozen=True)
class Turn:
    """What one `codex exec` came to."""

    done: Done
    events: list[dict[str, Any]]

    @property
    def messages(self) -> list[str]:
        return [item["text"] for item in self.items("agent_message")]

    @property
    def answer(self) -> str:
        """The last thing it said."""
        assert self.messages, f"no answer\n{self.done.stdout[-3000:]}\n{self.done.stderr[-3000:]}"
        return self.messages[-1]

    @property
    def session(self) -> str:
        return next(str(event["thread_id"]) for event in self.events if event["type"] == "thread.started")

    @property
    def errors(self) -> str:
        """All it complained of."""
        said = [event.get("message") or event.get("error", {}).get("message") for event in self.events]
        said += [item.get("message") for item in self.items("error")]
        return "\n".join([*filter(None, said), self.done.stderr])

    def items(self, kind: str) -> list[dict[str, Any]]:
        """Completed items of a kind."""
        done = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return [item for item in done if item["type"] == kind]


@dataclass
class Codex:
    """One person's Codex: `root/home`, `root/codex` (its CODEX_HOME) and `root/work`."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in (self.home, self.config.parent, self.work):
            path.mkdir(parents=True, exist_ok=True)
        if not self.config.exists():
            self.config.write_text(QUIET_CONFIG)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def config(self) -> Path:
        return self.root / "codex" / "config.toml"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def environment(self) -> dict[str, str]:
        return bare_env(self.home, CODEX_HOME=str(self.config.parent), **self.env)

    def exec(self, prompt: str, *args: str, seconds: float = 60) -> Turn:
        """`codex exec`, whatever its exit code."""
        return self._turn("exec", *QUIET, *args, prompt, seconds=seconds)

    def resume(self, session: str, prompt: str, *args: str, seconds: float = 60) -> Turn:
        """The next turn of a session."""
        return self._turn("exec", *QUIET, *args, "resume", session, prompt, seconds=seconds)

    def _turn(self, *args: str, seconds: float) -> Turn:
        done = run([program("codex"), *args], env=self.environment, cwd=self.work, seconds=seconds)
        return Turn(done, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")])
