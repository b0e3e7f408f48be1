"""Real Claude Code with a home of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.clients import program
from tests.e2e.hub import Hub
from tests.e2e.processes import Done, bare_env, run

# Kept out of the way: the network, what would make requests of its own, and minutes of waiting.
QUIET = {
    "CLAUDE_CODE_MAX_RETRIES": "4",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}
PRINT = ("-p", "--output-format", "stream-json", "--verbose")
ALLOWED = ("--allowedTools", "Agent,Bash,Edit,Read,Write,mcp__words")


@dataclass(frozen=True)
class ClaudeTurn:
    """What one `claude -p` came to."""

    done: Done
    events: list[dict[str, Any]]

    @property
    def result(self) -> dict[str, Any]:
        """Its last word about the turn."""
        found = [event for event in self.events if event["type"] == "result"]
        assert found, f"no result\n{self.done.stdout[-3000:]}\n{self.done.stderr[-3000:]}"
        return found[-1]

    @property
    def answer(self) -> str:
        """The last thing it said, also where that is an error."""
        return str(self.result["result"])

    @property
    def session(self) -> str:
        return str(self.result["session_id"])


@dataclass
class ClaudeCode:
    """One person's Claude Code: `root/home`, `root/config` and `root/work`."""

    root: Path
    hub: Hub
    key: str
    model: str = "claude-opus-4-8"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def environment(self) -> dict[str, str]:
        config = {"CLAUDE_CONFIG_DIR": str(self.root / "config"), "ANTHROPIC_AUTH_TOKEN": self.key}
        return bare_env(self.root / "home", ANTHROPIC_BASE_URL=self.hub.url.removesuffix("/v1"), **config, **QUIET)

    def ask(self, prompt: str, *args: str, seconds: float = 90) -> ClaudeTurn:
        """`claude -p`, whatever its exit code."""
        for path in (self.root / "home", self.work):
            path.mkdir(parents=True, exist_ok=True)
        command = [program("claude-code"), *PRINT, *ALLOWED, "--model", self.model, *args]
        done = run(command, env=self.environment, cwd=self.work, stdin=prompt, seconds=seconds)
        return ClaudeTurn(done, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")])

    def resume(self, session: str, prompt: str) -> ClaudeTurn:
        """The next turn of a session."""
        return self.ask(prompt, "--resume", session)
