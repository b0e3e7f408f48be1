"""Real OpenCode with a home of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.clients import program
from tests.e2e.hub import Hub
from tests.e2e.processes import Done, bare_env, run

# The package that speaks a protocol (all of them are inside of the program), and the root it wants.
SPEAKERS = {
    "openai_chat": ("@ai-sdk/openai-compatible", "/v1"),
    "openai_responses": ("@ai-sdk/openai", "/v1"),
    "anthropic_messages": ("@ai-sdk/anthropic", "/v1"),
    "gemini": ("@ai-sdk/google", "/v1beta"),
}
QUIET = {"share": "disabled", "autoupdate": False, "permission": "allow"}


@dataclass(frozen=True)
class Run:
    """What one `opencode run` came to."""

    done: Done
    events: list[dict[str, Any]]

    def parts(self, kind: str) -> list[dict[str, Any]]:
        return [event["part"] for event in self.events if event["type"] == kind]

    @property
    def text(self) -> str:
        said = self.parts("text")
        assert said, f"no answer\n{self.done.stdout[-3000:]}\n{self.done.stderr[-3000:]}"
        return str(said[-1]["text"])

    @property
    def session(self) -> str:
        return str(self.events[0]["sessionID"])

    @property
    def errors(self) -> str:
        return "\n".join(json.dumps(event["error"]) for event in self.events if event["type"] == "error")


class OpenCode:
    """One person's: `root/home` and `root/work`. It speaks `protocol` with the hub, about `model`."""

    def __init__(self, root: Path, hub: Hub, key: str, protocol: str, model: str) -> None:
        self.home, self.work = root / "home", root / "work"
        self.home.mkdir(parents=True)
        self.work.mkdir()
        package, path = SPEAKERS[protocol]
        options = {"baseURL": hub.url.removesuffix("/v1") + path, "apiKey": key}
        models = {model: {"name": model, "tool_call": True, "reasoning": True, "attachment": True}}
        provider = {"npm": package, "name": "Hub", "options": options, "models": models}
        names = {"model": f"hub/{model}", "small_model": f"hub/{model}"}
        config = {**QUIET, **names, "provider": {"hub": provider}}
        (self.work / "opencode.json").write_text(json.dumps(config))
        off = ("MODELS_FETCH", "AUTOUPDATE", "DEFAULT_PLUGINS", "LSP_DOWNLOAD", "SHARE")
        nowhere = "http://127.0.0.1:9"  # a proxy that refuses what would leave this machine
        self._env: Mapping[str, str] = bare_env(
            self.home, HTTPS_PROXY=nowhere, **{f"OPENCODE_DISABLE_{name}": "1" for name in off}
        )

    def ask(self, prompt: str, *args: str, seconds: float = 120) -> Run:
        """`opencode run`, whatever its exit code."""
        command = [program("opencode"), "run", "--format", "json", *args, prompt]
        done = run(command, env=self._env, cwd=self.work, seconds=seconds)
        return Run(done, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")])
