"""A real (small) language model behind the hub: what moves is judged, not what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hub import Hub
from tests.e2e.judges import MODEL_PATHS, PROTOCOLS, add_channels, language_model
from tests.e2e.talks import TALKS, Talk, assert_too_long

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def model_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """llama.cpp speaks three protocols; the model on-PROTOCOL is the same one in each."""
    with language_model(tmp_path_factory.mktemp("model")) as url:
        hub = Hub(tmp_path_factory.mktemp("hub"))
        add_channels(hub, "local", url, MODEL_PATHS)
        rules = [word for name in MODEL_PATHS for word in ("--map", f"on-{name}=local-{name}/smollm2")]
        hub.do("profile", "add", "local", *rules)
        hub.do("profile", "activate", "local")
        yield hub.start()
        hub.stop()


@pytest.fixture(scope="module")
def key(model_hub: Hub) -> str:
    return model_hub.create_key()


@pytest.fixture(params=MODEL_PATHS)
def model(request: pytest.FixtureRequest) -> str:
    return f"on-{request.param}"


@pytest.fixture(params=PROTOCOLS)
def talk(request: pytest.FixtureRequest, model_hub: Hub, key: str, model: str) -> Talk:
    """An official SDK in front of it."""
    return TALKS[request.param](model_hub.url.removesuffix("/v1"), key, model)


@pytest.mark.parametrize("protocol", ["openai_chat", "openai_responses"])
def test_codex_calls_a_tool_and_answers(model_hub: Hub, key: str, protocol: str, tmp_path: Path) -> None:
    codex = model_hub.codex(tmp_path / "me", key, model=f"on-{protocol}")
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


def test_it_talks_in_pieces_and_whole(talk: Talk) -> None:
    talk.streamed = True
    first = talk.say("What is the capital of France?")
    assert first.text and first.finish == talk.stop
    assert first.pieces > 3
    assert first.input_tokens and first.output_tokens and first.output_tokens > 3
    talk.streamed = False
    second = talk.say("And of Italy?")
    assert second.text and second.finish == talk.stop
    assert second.input_tokens and second.input_tokens > first.input_tokens + first.output_tokens / 2


def test_it_calls_a_tool_and_takes_the_result(talk: Talk) -> None:
    talk.streamed = talk.tools = True
    first = talk.say("Please help me with the weather in Paris")
    assert first.finish == talk.cut
    ((name, arguments),) = first.calls
    assert name == "get_weather" and isinstance(arguments["city"], str)
    talk.streamed = talk.tools = False
    assert talk.give("18 degrees").text


def test_a_prompt_beyond_its_context_is_refused_as_such(talk: Talk) -> None:
    # pitfall 139
    for number in range(120):  # llama.cpp forgets most of a single long one
        talk.add(f"number {number}: {'word ' * 80}")
        talk.hear(f"number {number}: {'word ' * 80}")
    talk.add("And now?")
    with pytest.raises(talk.error) as caught:
        talk.again()
    assert_too_long(caught.value)
