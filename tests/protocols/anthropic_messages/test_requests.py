"""Requests: an Anthropic client's own come back as they were, others' become what the SDK's strict types accept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from axonhub_cli.llm.errors import Failure
from axonhub_cli.protocols.anthropic_messages import CODEC
from axonhub_cli.protocols.registry import codec
from axonhub_cli.vendors import Quirks
from tests.protocols.anthropic_messages.helpers import (
    FIXTURES,
    NAME,
    NATIVE,
    SONNET,
    load,
    validate,
)

NATIVES = ["native/every-block", "native/signed-loop", "claude-code-turn1", "thinking-and-calls"]


def without(value: Any, *names: str) -> Any:
    return {name: item for name, item in value.items() if name not in names}


def blocks(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload with every plain string of content as the block it stands for."""

    def opened(content: Any) -> Any:
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    def result(block: dict[str, Any]) -> dict[str, Any]:
        return {**block, "content": opened(block["content"])} if block["type"] == "tool_result" else block

    messages = [
        {**message, "content": [result(block) for block in opened(message["content"])]}
        for message in payload["messages"]
    ]
    return {**payload, "system": opened(payload["system"]), "messages": messages}


@pytest.mark.parametrize("name", NATIVES)
def test_a_clients_request_comes_back_to_the_last_field(name: str) -> None:  # pitfalls 63, 65, 77, 82
    payload = load(f"{name}.request.json")
    encoded = CODEC.encode_request(CODEC.decode_request(payload), NATIVE)
    assert encoded.payload == blocks(payload)
    assert encoded.losses == ()


@pytest.mark.parametrize("name", NATIVES)
def test_twice_through_is_once_through(name: str) -> None:
    request = CODEC.decode_request(load(f"{name}.request.json"))
    assert CODEC.decode_request(CODEC.encode_request(request, NATIVE).payload) == request


def test_fields_inside_a_result_stay_at_their_block() -> None:
    inner = [
        {"type": "text", "text": " "},  # refused by the API, so it is left out
        {"type": "text", "text": '[{"type":"image","image_url":"x"}]', "cache_control": {"type": "ephemeral"}},
        {"type": "tool_reference", "tool_name": "later"},
    ]
    call = {"type": "tool_use", "id": "t", "name": "run", "input": {}}
    talk = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": inner}]},
    ]
    encoded = CODEC.encode_request(CODEC.decode_request({"model": "m", "max_tokens": 9, "messages": talk}), NATIVE)
    assert encoded.payload["messages"][2]["content"][0]["content"] == inner[1:]


@pytest.mark.parametrize("form", ["block", "line"])
def test_the_billing_line_stays_at_anthropic(form: str) -> None:  # pitfall 28
    def ask(token: str) -> dict[str, Any]:
        payload: dict[str, Any] = {"model": SONNET, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
        line = f"x-anthropic-billing-header: cc_version=2; cch={token};"
        text = "You are an agent."
        own = [{"type": "text", "text": line}, {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
        return {**payload, "system": own if form == "block" else f"{line}\n{text}"}

    first, second = (CODEC.decode_request(ask(token)) for token in ("abc", "def"))
    assert first.messages == second.messages
    encoded = [codec("openai_chat").encode_request(request, Quirks()) for request in (first, second)]
    assert encoded[0].payload == encoded[1].payload
    assert "system[0]" in {loss.field for loss in encoded[0].losses}
    again = CODEC.encode_request(first, NATIVE).payload["system"]
    assert "cch=abc" in again[0]["text"] and again[-1]["text"].endswith("You are an agent.")


def test_a_sealed_signature_is_known_by_its_beginning() -> None:  # pitfalls 63, 64
    content = [
        {"type": "thinking", "thinking": "shown", "signature": "axh1.abc"},
        {"type": "redacted_thinking", "data": "axh1.def"},
        {"type": "thinking", "thinking": "theirs", "signature": "Eq"},
    ]
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]}
    ours, hidden, theirs = CODEC.decode_request(asked).messages[0].parts
    assert ours.sealed == "axh1.abc" and ours.summary == ("shown",) and not ours.opaque  # type: ignore[union-attr]
    assert hidden.sealed == "axh1.def"  # type: ignore[union-attr]
    assert theirs.opaque == {NAME: {"signature": "Eq"}} and theirs.sealed is None  # type: ignore[union-attr]


def test_claude_codes_user_is_nobodys_business() -> None:  # pitfalls 14, 171
    request = CODEC.decode_request(load("native/every-block.request.json"))
    assert request.user is None and request.cache_key == "5c1f"
    payload = codec("openai_chat").encode_request(request, Quirks()).payload
    assert "device_id" not in json.dumps(payload) and payload["prompt_cache_key"] == "5c1f"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"messages": "x"}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": 1}]}]},
            "messages[0].content[0].source",
        ),
        ({"system": [{"type": "image", "source": {"type": "url", "url": "x"}}]}, "system"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stop_sequences": [1]}, "stop_sequences"),
    ],
)
def test_what_cannot_be_understood_is_named(change: dict[str, Any], field: str) -> None:
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], **change}
    with pytest.raises(Failure) as failure:
        CODEC.decode_request(asked)
    assert failure.value.error.status == 400 and failure.value.error.param == field


def test_only_the_fields_a_vendor_takes() -> None:  # pitfalls 13, 82
    request = CODEC.decode_request(load("native/every-block.request.json"))
    encoded = CODEC.encode_request(request, Quirks(fields=("thinking", "metadata"), mid_system="never"))
    assert (
        not {"context_management", "mcp_servers", "container", "future_field", "output_config"} & encoded.payload.keys()
    )
    assert {"context_management", "future_field", "output_config"} <= {loss.field for loss in encoded.losses}
    assert "system" not in {message["role"] for message in encoded.payload["messages"]}


def test_fixtures_are_what_the_sdk_would_send() -> None:
    for path in FIXTURES.glob("*.request.json"):
        payload = blocks({"system": "x", **load(path.name)})
        validate(without(payload, "context_management"))  # a beta field
