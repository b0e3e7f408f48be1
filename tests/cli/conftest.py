"""Runs commands: in this process (quick) or as a program of its own (pipes, signals, terminals)."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from axonhub_cli.cli.app import run
from axonhub_cli.config import Config
from axonhub_cli.paths import Home
from axonhub_cli.store.database import open_store

AXONHUB = Path(sys.executable).with_name("axonhub")
_OURS = ("AXONHUB_", "OPENAI_", "DEEPSEEK_", "MOONSHOT_")


class Done(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AXONHUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return tmp_path / "home"


@pytest.fixture
def store(home):
    place = Home(home, home)
    place.create()
    with open_store(place, Config()) as opened:
        yield opened


@pytest.fixture
def cli(home, capfd, monkeypatch):
    """Runs a command line in this process; with `code`, it must end with that."""

    def call(*arguments, code=0, stdin=""):
        reader, writer = os.pipe()
        os.write(writer, stdin.encode())
        os.close(writer)
        capfd.readouterr()
        with os.fdopen(reader) as source:
            monkeypatch.setattr(sys, "stdin", source)
            ended = run(arguments)
        done = Done(ended, *capfd.readouterr())
        assert done.code == code, done
        return done

    return call


@pytest.fixture
def program(home):
    """Runs the installed program."""

    def call(*arguments, code=0, stdin="", **environment):
        done = subprocess.run(
            [AXONHUB, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **environment},
            check=False,
        )
        assert done.returncode == code, done
        return Done(done.returncode, done.stdout, done.stderr)

    return call
