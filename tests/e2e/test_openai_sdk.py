"""OpenAI's own SDK against a real hub, in both of its protocols, on both kinds of upstream."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.e2e.hub import Hub
from tests.e2e.pictures import red_square
from tests.fakes.chat import ChatProvider
from tests.fakes.chat_rules import COMPATIBLE, DEEPSEEK, OPENAI
from tests.fakes.provider import Provider
from tests.fakes.responses import ResponsesProvider
from tests.fakes.script import Call, Custom, Fault, Reply, Say, Think

pytestmark = pytest.mark.e2e

MAKERS: dict[str, tuple[str, Callable[[], Provider], tuple[str, ...]]] = {
    "responses": ("openai", ResponsesProvider, ("--option", "protocol=openai_responses")),
    "chat": ("openai", lambda: ChatProvider(dialect=OPENAI), ("--option", "protocol=openai_chat")),
    "compatible": ("openai-compatible", lambda: ChatProvider(dialect=COMPATIBLE), ()),
    "deepseek": ("deepseek", lambda: ChatProvider(dialect=DEEPSEEK), ()),
}
PICTURE = "data:image/png;base64," + base64.b64encode(red_square()).decode()
PARAMETERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a"]}
ADD: Any = {"type": "function", "name": "add", "description": "Adds.", "parameters": PARAMETERS, "strict": False}
CHAT_ADD: Any = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": PARAMETERS}}


class Sum(BaseModel):
    total: int


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One hub with a channel to each fake; a model is pinned as CHANNEL/MODEL by the profile."""
    hub = Hub(tmp_path_factory.mktemp("sdk"))
    providers = {}
    for name, (kind, make, options) in MAKERS.items():
        providers[name] = make().__enter__()
        hub.add_channel(name, providers[name], kind, *options)
    rules = [word for name in MAKERS for word in ("--map", f"on-{name}={name}/some-model")]
    hub.do("profile", "add", "pins", *rules)
    hub.do("profile", "activate", "pins")
    key = hub.create_key("sdk")
    hub.start()
    yield hub, providers, key
    hub.stop()
    for provider in providers.values():
        provider.__exit__()


class Set:
    """One upstream, and a client in front of it."""

    def __init__(self, name: str, hub: Hub, provider: Provider, key: str) -> None:
        self.name, self.hub, self.provider = name, hub, provider
        self.model = f"on-{name}"
        self.chat = name != "responses"  # it speaks Chat, so a Chat client's words pass untouched
        self.client = openai.OpenAI(base_url=hub.url, api_key=key, max_retries=0, timeout=20)


@pytest.fixture(params=MAKERS)
def up(request: pytest.FixtureRequest, upstreams: Any) -> Any:
    hub, providers, key = upstreams
    provider = providers[request.param]
    provider.reset()
    yield Set(request.param, hub, provider, key)
    provider.assert_used_up()


def test_responses_text(up: Set) -> None:
    up.provider.then(Reply((Say("It is 4."),), usage=(100, 60, 7, 0)))
    answer = up.client.responses.create(model=up.model, input="2+2?", instructions="Be brief.", max_output_tokens=500)
    assert (answer.output_text, answer.status) == ("It is 4.", "completed")
    assert answer.model == (up.model if up.chat else "some-model")
    assert answer.usage and (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 7)
    assert answer.usage.input_tokens_details.cached_tokens == 60
    assert "Be brief." in str(up.provider.requests[-1].body)


def test_responses_stream(up: Set) -> None:
    up.provider.then([Think("Hm."), Say("It is four, as ever.")])
    with up.client.responses.stream(model=up.model, input="2+2?", include=["reasoning.encrypted_content"]) as stream:
        events = list(stream)
        answer = stream.get_final_response()
    assert answer.output_text == "It is four, as ever."
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == answer.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


@pytest.mark.parametrize("streamed", [False, True])
def test_responses_tool_loop(up: Set, streamed: bool) -> None:
    up.provider.then([Think("Adding."), Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3})], "Six.")

    def ask(history: list[Any]) -> Any:
        options = {"model": up.model, "input": history, "tools": [ADD], "include": ["reasoning.encrypted_content"]}
        if not streamed:
            return up.client.responses.create(**options, store=False)
        with up.client.responses.stream(**options, store=False) as stream:
            return stream.until_done().get_final_response()

    history: list[Any] = [{"role": "user", "content": "add"}]
    first = ask(history)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [call.arguments for call in calls] == ['{"a": 1, "b": 2}', '{"a": 3}']
    history += [item.model_dump(exclude_none=True) for item in first.output]
    history += [{"type": "function_call_output", "call_id": call.call_id, "output": "3"} for call in calls]
    assert ask(history).output_text == "Six."
    assert up.provider.requests[-1].outputs == ["3", "3"]


def test_responses_custom_tool(up: Set) -> None:
    up.provider.then(Custom("run", "print(1)\n", lowered='{"input": "print(1)\\n"}'))
    tool: Any = {"type": "custom", "name": "run", "description": "Runs."}
    with up.client.responses.stream(model=up.model, input="run", tools=[tool]) as stream:
        (call,) = stream.until_done().get_final_response().output
    assert call.type == "custom_tool_call"
    assert call.input == "print(1)\n"


def test_responses_structured(up: Set) -> None:
    up.provider.then('{"total": 4}')
    answer = up.client.responses.parse(model=up.model, input="2+2?", text_format=Sum)
    assert answer.output_parsed == Sum(total=4)


def test_responses_image(up: Set) -> None:
    up.provider.then("Red.")
    parts: Any = [{"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": PICTURE, "detail": "auto"}]
    answer = up.client.responses.create(model=up.model, input=[{"role": "user", "content": parts}])
    assert answer.output_text == "Red."
    assert up.provider.requests[-1].images == ([] if up.name == "deepseek" else [PICTURE])


def test_chat_text(up: Set) -> None:
    up.provider.then(Reply((Say("It is 4."),), usage=(100, 60, 7, 0)))
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
    answer = up.client.chat.completions.create(model=up.model, messages=messages, max_tokens=500, temperature=0.5)
    assert answer.choices[0].message.content == "It is 4."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == ("some-model" if up.chat else up.model)
    assert answer.usage and answer.usage.prompt_tokens == 100 and answer.usage.completion_tokens == 7
    assert answer.usage.prompt_tokens_details and answer.usage.prompt_tokens_details.cached_tokens == 60


def test_chat_stream(up: Set) -> None:
    up.provider.then(Reply((Say("It is four, as ever."),), usage=(100, 60, 7, 0)))
    chunks = list(
        up.client.chat.completions.create(
            model=up.model,
            messages=[{"role": "user", "content": "2+2?"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "It is four, as ever."
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage and chunks[-1].usage.total_tokens == 107
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_chat_tool_loop(up: Set, streamed: bool) -> None:
    up.provider.then([Think("Adding."), Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3})], "Six.")

    def ask(history: list[Any]) -> Any:
        options: Any = {"model": up.model, "messages": history, "tools": [CHAT_ADD], "tool_choice": "auto"}
        if not streamed:
            return up.client.chat.completions.create(**options).choices[0].message
        with up.client.chat.completions.stream(**options) as stream:
            return stream.get_final_completion().choices[0].message

    history: list[Any] = [{"role": "user", "content": "add"}]
    first = ask(history)
    assert [call.function.arguments for call in first.tool_calls] == ['{"a": 1, "b": 2}', '{"a": 3}']
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}}
        for c in first.tool_calls
    ]
    said = {"role": "assistant", "content": first.content, "tool_calls": calls}
    if thought := (first.model_extra or {}).get("reasoning_content"):
        said["reasoning_content"] = thought
    history += [said, *({"role": "tool", "tool_call_id": call["id"], "content": "3"} for call in calls)]
    assert ask(history).content == "Six."
    assert up.provider.requests[-1].outputs == ["3", "3"]


def refused(up: Set, **request: Any) -> None:
    """What passes untouched may be more than the vendor takes: its own words come back."""
    with pytest.raises(openai.BadRequestError) as caught:
        up.client.chat.completions.create(model=up.model, **request)
    assert caught.value.message.split(" - ")[-1] in up.provider.refusals.pop()


def test_chat_structured(up: Set) -> None:
    if up.name == "deepseek":
        schema = {"name": "s", "schema": {"type": "object"}}
        form = {"type": "json_schema", "json_schema": schema}
        refused(up, messages=[{"role": "user", "content": "2+2?"}], response_format=form)
        return
    up.provider.then('{"total": 4}')
    answer = up.client.chat.completions.parse(
        model=up.model, messages=[{"role": "user", "content": "2+2?"}], response_format=Sum
    )
    assert answer.choices[0].message.parsed == Sum(total=4)


def test_chat_image(up: Set) -> None:
    parts: Any = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    up.provider.then("Red.")
    answer = up.client.chat.completions.create(model=up.model, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == "Red."
    if up.name == "deepseek":  # pitfall 11: refused, and asked once more without
        assert "image_url" in up.provider.refusals.pop()
    assert up.provider.requests[-1].images == ([] if up.name == "deepseek" else [PICTURE])


def test_errors_have_the_protocols_own_shape(up: Set) -> None:
    # pitfall 147
    up.provider.then(Fault(400, "That is too hot.", "bad_temperature", param="temperature"))
    with pytest.raises(openai.BadRequestError, match="That is too hot"):
        up.client.responses.create(model=up.model, input="x")
    up.provider.then(Fault(400, "That is too hot.", "bad_temperature", param="temperature"))
    with pytest.raises(openai.BadRequestError, match="That is too hot") as caught:
        up.client.chat.completions.create(model=up.model, messages=[{"role": "user", "content": "x"}])
    assert caught.value.type == "invalid_request_error"


def test_output_limit(up: Set) -> None:
    up.provider.then(Reply((Say("Half"),), length=True), Reply((Say("Half"),), length=True))
    answer = up.client.responses.create(model=up.model, input="x", max_output_tokens=20)
    assert answer.status == "incomplete"
    assert answer.incomplete_details and answer.incomplete_details.reason == "max_output_tokens"
    chat = up.client.chat.completions.create(model=up.model, messages=[{"role": "user", "content": "x"}], max_tokens=20)
    assert chat.choices[0].finish_reason == "length"


def test_models_and_a_wrong_key(upstreams: Any, tmp_path: Path) -> None:
    hub, _, key = upstreams
    client = openai.OpenAI(base_url=hub.url, api_key=key, max_retries=0)
    assert len(list(client.models.list())) > 0
    stranger = openai.OpenAI(base_url=hub.url, api_key="ah-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.responses.create(model="on-chat", input="x")
