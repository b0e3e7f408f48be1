"""A real axonhub: set up by its own commands in a home of its own, served as a process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.codex import Codex
from tests.e2e.processes import Done, bare_env, kill, run, start
from tests.fakes.provider import Provider

AXONHUB = Path(sys.executable).with_name("axonhub")
UPSTREAM_KEY = "sk-upstream"


class Hub:
    """`root` holds everything. Nothing runs until `start`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "axonhub"
        root.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def environment(self) -> dict[str, str]:
        own = {"AXONHUB_HOME": str(self.home), "AXONHUB_SERVER_PORT": str(self.port), "UPSTREAM_KEY": UPSTREAM_KEY}
        return bare_env(self.root, **own)

    # -- commands

    def cli(self, *args: str, stdin: str = "") -> Done:
        """A command, whatever its exit code."""
        return run([AXONHUB, *args], env=self.environment, cwd=self.root, stdin=stdin, seconds=30)

    def do(self, *args: str) -> str:
        """A command that must succeed; its standard output."""
        return self.cli(*args).ok().stdout

    def json(self, *args: str) -> Any:
        return json.loads(self.do(*args, "--json"))

    def add_channel(self, name: str, provider: Provider | str, kind: str, *options: str) -> None:
        """A channel of type `kind` to a fake, or to a URL."""
        url = provider if isinstance(provider, str) else provider.url
        self.do("channel", "add", name, "--type", kind, "--base-url", url, "--api-key-env", "UPSTREAM_KEY", *options)

    def create_key(self, name: str = "codex", *options: str) -> str:
        return self.do("key", "create", name, *options).strip()

    def codex(self, root: Path, key: str, *options: str, model: str = "gpt-5.5") -> Codex:
        """A Codex set up by `axonhub codex setup`."""
        codex = Codex(root, env={"AXONHUB_API_KEY": key})
        where = ("--codex-home", str(codex.config.parent), "--base-url", self.url)
        self.do("codex", "setup", "--yes", "--model", model, *where, *options)
        return codex

    # -- the server

    def start(self) -> Hub:
        self._log = (self.root / "serve.log").open("ab")
        command = [AXONHUB, "serve", "--port", str(self.port), "--log-level", "debug"]
        streams = {"stdin": subprocess.DEVNULL, "stdout": self._log, "stderr": self._log}
        self._server = start(command, env=self.environment, cwd=self.root, **streams)
        limit = time.monotonic() + 20
        while not self.healthy():
            assert self._server.poll() is None, f"axonhub serve ended:\n{self.log()}"
            assert time.monotonic() < limit, f"axonhub serve does not answer:\n{self.log()}"
            time.sleep(0.05)
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the server; politely unless told otherwise, and never for more than ten seconds."""
        if self._server is None:
            return
        kill(self._server, how)
        try:
            self._server.wait(10)
        finally:
            kill(self._server)
            self._log.close()
            self._server = None

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.stop(how)
        self.start()

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metric(self, name: str) -> int:
        """A number the server tells, 0 where it has none yet."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def log(self) -> str:
        return (self.root / "serve.log").read_text(errors="replace")[-6000:]

    # -- what it remembers

    def requests(self, trace: str | None = None, count: int | None = None, seconds: float = 8) -> list[dict[str, Any]]:
        """What `traces list --json` says, oldest first; of one trace, or of all. With `count`, waits until that
        many are there and none is running: the server writes them down after it has answered."""
        only = ("--trace", trace) if trace else ()
        limit = time.monotonic() + seconds
        while True:
            rows = self.json("traces", "list", "--limit", "500", *only)
            rows = sorted(rows, key=lambda row: (row["started_at"], row["request_id"]))
            if count is None or (len(rows) == count and all(row["status"] != "running" for row in rows)):
                return rows
            if time.monotonic() > limit:
                raise AssertionError(f"{len(rows)} requests in the traces, not {count}: {json.dumps(rows, indent=1)}")
            time.sleep(0.1)
