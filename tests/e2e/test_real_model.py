"""A real (small) language model behind the hub: what moves is judged, not what it says."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.e2e.clients import language_model
from tests.e2e.hub import Hub
from tests.e2e.processes import bare_env, kill, start

pytestmark = pytest.mark.e2e
FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture(scope="module")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("model")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = bare_env(root, PYTHONPATH=str(language_model()))
    command = [sys.executable, FAKES / "realllm.py", str(port), FAKES / "realllm.jinja"]
    with (root / "log").open("wb") as log:
        process = start(command, env=env, cwd=root, stdout=log, stderr=log)
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/health", process, root / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            kill(process)


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


PROTOCOLS = {"chat": (), "responses": ("--option", "protocol=openai_responses")}


@pytest.fixture(params=PROTOCOLS)
def model_hub(request: pytest.FixtureRequest, hub: Hub, model_url: str) -> Hub:
    """llama.cpp speaks both protocols."""
    hub.add_channel("local", model_url, "openai-compatible", *PROTOCOLS[request.param])
    hub.do("profile", "add", "local", "--map-regex", ".*=smollm2")
    hub.do("profile", "activate", "local")
    return hub.start()


def test_codex_calls_a_tool_and_answers(model_hub: Hub, tmp_path: Path) -> None:
    codex = model_hub.codex(tmp_path / "me", model_hub.create_key(), model="gpt-5")
    turn = codex.exec("Please run uname")
    turn.done.ok()
    assert turn.answer
    commands = turn.items("command_execution")
    assert commands, turn.done.stdout
    rows = model_hub.requests(turn.session)
    assert len(rows) >= 2
    assert {row["status"] for row in rows} == {"completed"}
    assert all(row["input_tokens"] > 0 and row["output_tokens"] > 0 for row in rows)
    assert {row["upstream_model"] for row in rows} == {"smollm2"}


def test_the_official_sdk_gets_text_in_pieces(model_hub: Hub) -> None:
    client = openai.OpenAI(base_url=model_hub.url, api_key=model_hub.create_key(), max_retries=0)
    # not `responses.stream`: llama.cpp's own events, which pass untouched, have no output_index
    events = list(client.responses.create(model="any", input="What is the capital of France?", stream=True))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 3
    (answer,) = [event.response for event in events if event.type == "response.completed"]
    assert "".join(deltas) == answer.output_text
    assert answer.usage and answer.usage.output_tokens > 3
    whole = client.chat.completions.create(
        model="any", messages=[{"role": "user", "content": "What is the capital of France?"}]
    )
    assert whole.choices[0].message.content
    assert whole.usage and whole.usage.prompt_tokens > 3


def test_a_prompt_beyond_its_context_is_refused_as_such(model_hub: Hub) -> None:
    # pitfall 139
    client = openai.OpenAI(base_url=model_hub.url, api_key=model_hub.create_key(), max_retries=0)
    history = [{"role": "user", "content": f"number {number}: {'word ' * 30}"} for number in range(600)]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="any", messages=history)  # type: ignore[arg-type]
    assert caught.value.code == "context_length_exceeded"
