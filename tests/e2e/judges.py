"""Other people's model servers, as upstreams: they were not written to please axonhub.

Each is fetched once (`clients.py`), runs in a process group of its own on a free port, and is gone at the end.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import clients
from tests.e2e.hub import Hub
from tests.e2e.processes import bare_env, kill, start

FAKES = Path(__file__).parents[1] / "fakes"
PROTOCOLS = ("openai_responses", "openai_chat", "anthropic_messages", "gemini")
TYPES = {
    "openai_responses": ("openai-compatible", "--option", "protocol=openai_responses"),
    "openai_chat": ("openai-compatible",),
    "anthropic_messages": ("anthropic",),
    "gemini": ("gemini",),
}
# Where each protocol begins, as channels want it: after the version for OpenAI's, before it for the others.
AIMOCK_PATHS = {"openai_responses": "/v1", "openai_chat": "/v1", "anthropic_messages": "", "gemini": ""}
LLMOCK_PATHS = {**AIMOCK_PATHS, "anthropic_messages": "/anthropic", "gemini": "/gemini"}
CONTEXT = 30_000  # tokens that llmock takes; it counts four letters as one
MODEL_PATHS = {"openai_responses": "/v1", "openai_chat": "/v1", "anthropic_messages": ""}


def before(protocol: str) -> str:
    """Another protocol: the one from which a failed attempt comes here."""
    return PROTOCOLS[PROTOCOLS.index(protocol) - 1]


@dataclass(frozen=True)
class Aimock:
    """Answers as `tests/fakes/aimock.json` says, and refuses what fits none of it."""

    url: str


@dataclass(frozen=True)
class Llmock:
    """Repeats what it was told, calls the tool it is offered, and fails as it is asked to."""

    url: str

    def reset(self) -> None:
        self._do("POST", "/_llmock/reset")

    def play(self, *behaviors: Mapping[str, Any]) -> None:
        """Queues what comes next; see the table in llmock's own manual."""
        self._do("POST", "/_llmock/scenario", {"behaviors": behaviors})

    def requests(self) -> list[dict[str, Any]]:
        """All since the last reset, with the body and the fault of each."""
        return list(self._do("GET", "/_llmock/requests")["requests"])

    def verdict(self) -> list[str]:
        """What whoever called it did wrong: retry_after_ignored, retried_non_retryable, retry_storm or
        truncated_stream_accepted; its mere warnings are left out."""
        findings = self._do("GET", "/_llmock/verdict")["findings"]
        return [finding["code"] for finding in findings if finding["severity"] == "error"]

    def _do(self, method: str, path: str, payload: Any = None) -> Any:
        data = None if payload is None else json.dumps(payload).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def aimock(root: Path) -> Iterator[Aimock]:
    node = shutil.which("node")
    assert node, "node is needed for aimock"
    options = ["-f", FAKES / "aimock.json", "--strict", "--validate-on-load", "--log-level", "warn"]
    command = [node, clients.aimock(), "-p", "{port}", *options]
    with serving(command, root, AIMOCK_STRICT_TURN_INDEX="1") as url:
        yield Aimock(url)


@contextmanager
def llmock(root: Path) -> Iterator[Llmock]:
    options = ["--response-style", "echo", "--context-window", str(CONTEXT)]
    command = [sys.executable, "-m", "llmock.cli", "serve", "--port", "{port}", *options]
    with serving(command, root, PYTHONPATH=str(clients.llmock())) as url:
        yield Llmock(url)


@contextmanager
def language_model(root: Path) -> Iterator[str]:
    """A real model of 135 million parameters in llama.cpp's server; its URL."""
    command = [sys.executable, FAKES / "realllm.py", "{port}", FAKES / "realllm.jinja"]
    with serving(command, root, PYTHONPATH=str(clients.language_model())) as url:
        yield url


@contextmanager
def serving(command: list[str | Path], root: Path, **env: str) -> Iterator[str]:
    """The URL of a server once `/health` answers; `{port}` in `command` is replaced by a free one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = [port if word == "{port}" else word for word in command]
    log = root / "log"
    with log.open("wb") as output:
        process = start(words, env=bare_env(root, **env), cwd=root, stdout=output, stderr=output)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                assert process.poll() is None, log.read_text(errors="replace")[-3000:]
                if _healthy(url):
                    break
                time.sleep(0.05)
            else:
                raise AssertionError(log.read_text(errors="replace")[-3000:])
            yield url
        finally:
            kill(process)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/health", timeout=1):
            return True
    except OSError:
        return False


def add_channels(
    hub: Hub, name: str, url: str, paths: Mapping[str, str], options: Callable[[str], Sequence[str]] = lambda _: ()
) -> None:
    """A channel NAME-PROTOCOL for each way to talk to one judge; `options` of a protocol go to its command."""
    for protocol, path in paths.items():
        kind, *more = TYPES[protocol]
        hub.add_channel(f"{name}-{protocol}", url + path, kind, *more, *options(protocol))
