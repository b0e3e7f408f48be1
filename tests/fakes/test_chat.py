"""The Chat fake against OpenAI's own SDK, and each refusal."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.fakes.chat import ChatProvider
from tests.fakes.chat_rules import COMPATIBLE, DEEPSEEK, OPENAI, Dialect
from tests.fakes.script import Call, Fault, Reply, Say, Think

ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
USER = {"role": "user", "content": "hi"}


def client(fake: ChatProvider, key: str = "sk-upstream") -> openai.OpenAI:
    return openai.OpenAI(base_url=fake.url, api_key=key, max_retries=0)


def test_whole_answer() -> None:
    with ChatProvider([Say("It is "), Say("4.")]) as fake:
        answer = client(fake).chat.completions.create(model="m", messages=[USER])
    assert answer.choices[0].message.content == "It is 4."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage and answer.usage.total_tokens == answer.usage.prompt_tokens + 20


def test_streamed_parallel_calls_interleave() -> None:
    steps = [Think("hm"), Call("add", {"a": 1}), Call("add", {"a": 2})]
    with (
        ChatProvider(steps, dialect=DEEPSEEK) as fake,
        client(fake).chat.completions.stream(model="m", messages=[USER], tools=[ADD]) as stream,
    ):
        indexes = [
            event.chunk.choices[0].delta.tool_calls[0].index
            for event in stream
            if event.type == "chunk" and event.chunk.choices and event.chunk.choices[0].delta.tool_calls
        ]
        message = stream.get_final_completion().choices[0].message
    assert [call.function.arguments for call in message.tool_calls or ()] == ['{"a": 1}', '{"a": 2}']
    assert indexes != sorted(indexes)
    assert message.model_extra and message.model_extra["reasoning_content"] == "hm"


def test_usage_of_a_stream_only_when_asked_for() -> None:
    with ChatProvider("a", "b") as fake:
        ask = client(fake).chat.completions.create
        options = {"include_usage": True}
        asked = [chunk.usage for chunk in ask(model="m", messages=[USER], stream=True, stream_options=options)]
        silent = [chunk.usage for chunk in ask(model="m", messages=[USER], stream=True)]
    assert asked[-1] is not None
    assert not any(silent)


def test_wrong_key_and_scripted_errors() -> None:
    with ChatProvider(Fault(429, "slow down", headers={"Retry-After": "1"})) as fake:
        with pytest.raises(openai.AuthenticationError):
            client(fake, "sk-other").chat.completions.create(model="m", messages=[USER])
        with pytest.raises(openai.RateLimitError) as caught:
            client(fake).chat.completions.create(model="m", messages=[USER])
    assert caught.value.response.headers["Retry-After"] == "1"
    assert fake.calls == 2


def test_cut_and_hang() -> None:
    with ChatProvider(Reply((Say("one two three"),), cut=2), Reply((Say("x"),), hang=1)) as fake:
        with pytest.raises(openai.APIError):
            list(client(fake).chat.completions.create(model="m", messages=[USER], stream=True))
        with pytest.raises(openai.APITimeoutError):
            list(client(fake).chat.completions.create(model="m", messages=[USER], stream=True, timeout=0.3))
        assert fake.hung_up.wait(5)


def call(number: str = "1", arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "tool_calls": [{"id": number, "type": "function", "function": {"name": "add", "arguments": arguments}}],
        **more,
    }


def result(number: str = "1", content: Any = "3") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": number, "content": content}


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
UNNAMED = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
SPEC: dict[str, Any] = {"name": "add", "parameters": {"type": "object", "properties": {"m": {"encrypted": True}}}}
REFUSED: list[tuple[Dialect, dict[str, Any], str]] = [
    (OPENAI, {"unheard_of": 1}, "unheard_of"),
    (OPENAI, {"temperature": "hot"}, "temperature"),
    (OPENAI, {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "z": 1}]}]}, "content.0.z"),
    (OPENAI, {"messages": [USER, call()]}, "did not have response messages"),
    (OPENAI, {"messages": [USER, call(), USER, result()]}, "did not have response messages"),
    (OPENAI, {"messages": [USER, result()]}, "must be a response"),
    (OPENAI, {"messages": [USER, call(), result(), result()]}, "must be a response"),
    (OPENAI, {"messages": [USER, call(arguments=""), result()]}, "invalid function arguments"),
    (OPENAI, {"messages": [USER, {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]}, "row"),
    (OPENAI, {"messages": [USER, call(), result(content=[IMAGE])]}, "content.0"),
    (
        OPENAI,
        {"messages": [USER, {"role": "assistant", "content": "x", "reasoning_content": "y"}]},
        "reasoning_content",
    ),
    (OPENAI, {"tools": [{"type": "function", "function": {"name": "a.b"}}]}, "pattern"),
    (OPENAI, {"messages": [{"role": "user", "content": [UNNAMED]}]}, "Missing required parameter"),
    (OPENAI, {"tools": [ADD, ADD]}, "unique"),
    (OPENAI, {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"oneOf": []}}}]}, "object"),
    (OPENAI, {"tool_choice": "auto"}, "only allowed when"),
    (OPENAI, {"response_format": {"type": "json_object"}}, "'json'"),
    (COMPATIBLE, {"messages": [USER, {"role": "system", "content": "x"}]}, "2013"),
    (COMPATIBLE, {"parallel_tool_calls": True, "tools": [ADD]}, "parallel_tool_calls"),
    (COMPATIBLE, {"tools": [{"type": "function", "function": SPEC}]}, "encrypted"),
    (COMPATIBLE, {"tools": [{"type": "custom", "custom": {"name": "a"}}]}, "Supported values"),
    (DEEPSEEK, {"messages": [{"role": "developer", "content": "x"}, USER]}, "developer"),
    (DEEPSEEK, {"messages": [USER, call(), result()]}, "must be passed back"),
    (DEEPSEEK, {"response_format": SCHEMA}, "unavailable"),
    (DEEPSEEK, {"messages": [{"role": "user", "content": [IMAGE]}]}, "image_url"),
    (DEEPSEEK, {"max_completion_tokens": 5}, "max_completion_tokens"),
]


@pytest.mark.parametrize(("dialect", "change", "words"), REFUSED)
def test_refusals(dialect: Dialect, change: dict[str, Any], words: str) -> None:
    with ChatProvider("never", dialect=dialect) as fake:
        body: dict[str, Any] = {"model": "m", "messages": [USER], **change}
        with pytest.raises(openai.BadRequestError) as caught:
            client(fake).post("/chat/completions", body=body, cast_to=object)
    assert words in caught.value.message
    assert fake.refusals


def test_deepseek_takes_its_own_reasoning_back_and_no_other() -> None:
    with ChatProvider([Think("deep"), Call("add")], "fine", "no", dialect=DEEPSEEK) as fake:
        ask = client(fake).chat.completions.create
        made = ask(model="m", messages=[USER], tools=[ADD]).choices[0].message
        back = {"role": "assistant", "tool_calls": [c.model_dump() for c in made.tool_calls or ()]}
        turn = [USER, {**back, "reasoning_content": "deep"}, result(back["tool_calls"][0]["id"])]
        assert ask(model="m", messages=turn, tools=[ADD], extra_body={"thinking": {"type": "enabled"}})
        turn[1]["reasoning_content"] = "shallow"
        with pytest.raises(openai.BadRequestError, match="shallow"):
            ask(model="m", messages=turn, tools=[ADD])
    assert fake.requests[-1].thoughts == ["deep"]
