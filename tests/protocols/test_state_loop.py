"""State through a whole loop: a vendor's stream, Codex's replay, the vendor's next request; pitfalls 1, 33, 117-121."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.opaque import PREFIX, Seal, seal_part, unseal_request
from axonhub_cli.protocols.registry import codec
from axonhub_cli.protocols.translator import Translation, whole
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks
from tests.protocols.replay import replayed

RESPONSES, CHAT = codec("openai_responses"), codec("openai_chat")
STREAMS = Path(__file__).parent.parent / "fixtures" / "openai_chat"
DEEPSEEK = CHANNEL_TYPES["deepseek"].quirks
ORIGIN = "openai_chat/ch_1"


def ask(*items: dict[str, Any]) -> dict[str, Any]:
    names = ("shell", "search", "exec_command")
    tools = [{"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}} for name in names]
    tools.append({"type": "custom", "name": "apply_patch"})
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}
    return {"model": "m", "stream": True, "input": [user, *items], "tools": tools}


def answer(payload: dict[str, Any], stream: bytes) -> bytes:
    request = RESPONSES.decode_request(payload)
    relay = Translation(
        RESPONSES,
        CHAT,
        request,
        quirks=DEEPSEEK,
        response_id="r1",
        now=1,
        seal_part=lambda part: seal_part(part, Seal(b"s" * 32), ORIGIN),
    )
    return relay.feed(stream) + relay.close()


def next_request(payload: dict[str, Any], quirks: Quirks = DEEPSEEK, origin: str = ORIGIN) -> list[dict[str, Any]]:
    """What the vendor is sent after a restart of the hub."""
    request, _ = unseal_request(RESPONSES.decode_request(payload), Seal(b"s" * 32), origin, "openai_chat")
    messages: list[dict[str, Any]] = CHAT.encode_request(request, quirks).payload["messages"]
    return [message for message in messages if message["role"] == "assistant"]


def test_reasoning_comes_back_to_the_vendor() -> None:  # pitfalls 117-119
    said = answer(ask(), (STREAMS / "interleaved-calls.stream.sse").read_bytes())
    assert PREFIX.encode() in said
    (message,) = next_request(ask(*replayed(said)))
    assert message["reasoning_content"] == "The user wants a listing, so two calls."
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["shell", "search"]


def test_every_kind_of_call_is_treated_alike() -> None:  # pitfall 121
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    function = {"name": "apply_patch", "arguments": '{"input":"*** Begin Patch\\n*** Delete File: a\\n*** End Patch"}'}
    deltas: list[dict[str, Any]] = [
        {"reasoning_content": "because"},
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]},
    ]
    lines = [{**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    lines.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    stream = b"".join(b"data: " + msgspec.json.encode(line) + b"\n\n" for line in lines) + b"data: [DONE]\n\n"
    items = list(replayed(answer(ask(), stream)))
    assert items[1]["type"] == "custom_tool_call" and items[1]["input"].startswith("*** Begin Patch\n")
    (message,) = next_request(ask(*items))
    assert message["reasoning_content"] == "because"
    assert msgspec.json.decode(message["tool_calls"][0]["function"]["arguments"])["input"] == items[1]["input"]


@pytest.mark.parametrize(("origin", "comes_back"), [(ORIGIN, True), ("openai_chat/ch_2", False)])
def test_a_calls_signature_comes_back_to_its_maker_only(origin: str, comes_back: bool) -> None:  # pitfalls 64, 128
    said = answer(ask(), (STREAMS / "streams" / "gemini-compatible.sse").read_bytes())
    items = list(replayed(said))
    assert [item["type"] for item in items[:3]] == ["reasoning", "function_call", "function_call"]
    (message,) = next_request(ask(*items), Quirks(), origin)
    calls = message["tool_calls"]
    assert ("extra_content" in calls[0]) == comes_back and "extra_content" not in calls[1]


def test_a_whole_answer_carries_the_same() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "shell", "arguments": "{}"}, "extra_content": {"a": 1}}
    choice = {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}}
    data = {"id": "c", "model": "m", "choices": [{**choice, "finish_reason": "tool_calls"}]}
    request: Request = RESPONSES.decode_request(ask())
    found = whole(
        RESPONSES,
        CHAT,
        request,
        msgspec.json.encode(data),
        quirks=DEEPSEEK,
        seal_part=lambda part: seal_part(part, Seal(b"s" * 32), ORIGIN),
    )
    output = msgspec.json.decode(found.data)["output"]
    assert [item["type"] for item in output] == ["reasoning", "function_call"]
    outputs = {"type": "function_call_output", "call_id": "c1", "output": "done"}
    (message,) = next_request(ask(*output, outputs), Quirks())
    assert message["tool_calls"][0]["extra_content"] == {"a": 1}
