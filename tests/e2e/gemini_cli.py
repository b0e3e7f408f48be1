"""Real Gemini CLI with a home of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.clients import program
from tests.e2e.hub import Hub
from tests.e2e.processes import Done, bare_env, run

# Kept out of the way: the network, and what asks.
SETTINGS = {
    "general": {"disableAutoUpdate": True, "disableUpdateNag": True, "enableAutoUpdate": False},
    "privacy": {"usageStatisticsEnabled": False},
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "telemetry": {"enabled": False},
}


@dataclass(frozen=True)
class Answer:
    """What one `gemini -p` came to."""

    done: Done

    @property
    def json(self) -> dict[str, Any]:
        """What it printed; an error is printed to the other stream, among other things."""
        text = self.done.stdout if self.done.stdout.strip() else self.done.stderr[self.done.stderr.find("\n{") :]
        found: dict[str, Any] = json.loads(text)
        return found

    @property
    def text(self) -> str:
        return str(self.json["response"])

    @property
    def session(self) -> str:
        return str(self.json["session_id"])


class GeminiCLI:
    """One person's: `root/home` and `root/work`."""

    def __init__(self, root: Path, hub: Hub, key: str) -> None:
        self.home, self.work = root / "home", root / "work"
        self.work.mkdir(parents=True)
        settings = self.home / ".gemini" / "settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(SETTINGS))
        url = hub.url.removesuffix("/v1")
        self._env = bare_env(self.home, GOOGLE_GEMINI_BASE_URL=url, GEMINI_API_KEY=key, GEMINI_CLI_NO_RELAUNCH="1")

    def ask(self, prompt: str, *args: str, model: str = "gemini-3-pro-preview", seconds: float = 120) -> Answer:
        """`gemini -p`, whatever its exit code."""
        options = ("--skip-trust", "--yolo", "-o", "json", "-m", model, *args)
        command = ["node", program("gemini-cli"), *options, "-p", prompt]
        return Answer(run(command, env=self._env, cwd=self.work, seconds=seconds))
