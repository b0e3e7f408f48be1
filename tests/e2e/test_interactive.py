"""The interactive Codex on a screen, with a key from `axonhub codex token` and its models from the hub."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import program
from tests.e2e.codex import Codex
from tests.e2e.conftest import KINDS, Kind
from tests.e2e.hub import Hub
from tests.e2e.screen import Screen
from tests.fakes.provider import Provider
from tests.fakes.script import Call, Think

pytestmark = pytest.mark.e2e


def wants_title(request: Any) -> bool:
    return "task title" in request.last_user


@pytest.fixture(params=["deepseek", "anthropic", "gemini"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def provider(kind: Kind) -> Iterator[Provider]:
    with kind.provider() as fake:
        fake.when(wants_title, '{"title": "Files"}', forever=True)
        yield fake
        fake.assert_used_up()


@pytest.fixture
def codex(hub: Hub, kind: Kind, provider: Provider, tmp_path: Path) -> Codex:
    hub.add_channel("main", provider, kind.channel, "--model", kind.model, "--model", kind.small)
    hub.create_key()
    codex = hub.codex(tmp_path / "me", "", "--auth", "command", "--key", "codex", model=kind.model)
    del codex.env["AXONHUB_API_KEY"]
    codex.env["AXONHUB_HOME"] = str(hub.home)
    hub.start()
    return codex


@pytest.fixture
def screen(codex: Codex, tmp_path: Path) -> Iterator[Screen]:
    command = [str(program("codex")), "--no-daemon", "--dangerously-bypass-approvals-and-sandbox"]
    with Screen(command, env=codex.environment, cwd=codex.work, socket=tmp_path / "tmux") as screen:
        screen.wait_for("Ask Codex to do anything")
        yield screen


def test_a_turn_with_a_tool_and_a_title(hub: Hub, kind: Kind, provider: Provider, screen: Screen) -> None:
    # wire.md M: the title is asked for by a strict json_schema, which DeepSeek does not know
    provider.then([Think("Counting."), Call("exec_command", {"cmd": "echo sev''en"})], "There are **seven** files.")
    screen.submit("Count the files")
    shown = screen.wait_for("There are seven files.", "Files")
    assert "seven" in shown
    assert "error" not in shown.lower()
    (title,) = [request for request in provider.requests if wants_title(request)]
    if not kind.schema:
        assert title.body["response_format"] == {"type": "json_object"}
        assert "maxLength" in title.text
    rows = hub.requests(count=3)
    assert {row["status"] for row in rows} == {"completed"}
    assert len({row["trace_id"] for row in rows}) == 2


def test_models_of_the_hub_are_on_the_list(kind: Kind, screen: Screen) -> None:
    for _ in range(20):  # Codex refuses it until it has started up
        screen.submit("/model")
        time.sleep(1)
        if "Select Model" in screen.text():
            break
    screen.wait_for("Select Model", kind.model, kind.small)
