"""State through whole loops: Claude's signatures by way of Codex, other vendors' by way of Claude Code (pitfalls 63,
64, 67, 86, 128)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from axonhub_cli.llm.request import Reasoning
from axonhub_cli.protocols.opaque import PREFIX, Seal, seal_part, strip_sealed, strip_thinking, unseal_request
from axonhub_cli.protocols.registry import codec
from axonhub_cli.protocols.translator import Translation, whole
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks
from tests.protocols.anthropic_messages.helpers import FIXTURES, NAME, TESTS, told
from tests.protocols.replay import replayed

RESPONSES, CHAT, MESSAGES = codec("openai_responses"), codec("openai_chat"), codec(NAME)
PLAIN = Quirks()
SEAL = Seal(b"s" * 32)
CLAUDE = f"{NAME}/ch_1"
SIGNED_STREAM = (FIXTURES / "thinking-and-calls.stream.sse").read_bytes()
SIGNED_BODY = (FIXTURES / "thinking-and-calls.response.json").read_bytes()


def codex(*items: dict[str, Any]) -> dict[str, Any]:
    tools = [{"type": "function", "name": name, "parameters": {}} for name in ("get_weather", "now")]
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}
    return {"model": "claude-opus-4-6", "stream": True, "input": [user, *items], "tools": tools}


def answer(client: Any, upstream: Any, payload: dict[str, Any], stream: bytes, origin: str) -> bytes:
    relay = Translation(
        client,
        upstream,
        client.decode_request(payload),
        quirks=Quirks(),
        response_id="r1",
        now=1,
        seal_part=lambda part: seal_part(part, SEAL, origin),
    )
    return relay.feed(stream) + relay.close()


def next_turn(client: Any, upstream: Any, payload: dict[str, Any], origin: str, quirks: Quirks = PLAIN) -> Any:
    """What the upstream is sent after a restart of the hub."""
    request, lost = unseal_request(client.decode_request(payload), Seal(b"s" * 32), origin, upstream.name)
    encoded = upstream.encode_request(request, quirks)
    return encoded.payload, {loss.field for loss in (*lost, *encoded.losses)}


def assistants(payload: dict[str, Any]) -> list[Any]:
    return [message["content"] for message in payload["messages"] if message["role"] == "assistant"]


def test_signatures_by_way_of_codex_through_three_turns() -> None:
    items: list[dict[str, Any]] = []
    for turn in range(1, 4):
        said = answer(RESPONSES, MESSAGES, codex(*items), SIGNED_STREAM.replace(b"toolu_0", b"toolu_%d" % turn), CLAUDE)
        assert b"EqQBCkYIARgCKkDx" not in said  # pitfall 67
        items += replayed(said)
        payload, _ = next_turn(RESPONSES, MESSAGES, codex(*items), CLAUDE)
        turns = assistants(payload)
        assert len(turns) == turn
        for content in turns:
            assert content[:2] == json.loads(SIGNED_BODY)["content"][:2]
            assert [block["type"] for block in content[2:]] == ["text", "tool_use", "tool_use"]


def test_a_whole_answer_carries_the_same() -> None:
    request = RESPONSES.decode_request({**codex(), "stream": False})
    found = whole(
        RESPONSES, MESSAGES, request, SIGNED_BODY, quirks=Quirks(), seal_part=lambda p: seal_part(p, SEAL, CLAUDE)
    )
    output = msgspec.json.decode(found.data)["output"]
    payload, _ = next_turn(RESPONSES, MESSAGES, codex(*output), CLAUDE)
    assert assistants(payload)[0][:2] == json.loads(SIGNED_BODY)["content"][:2]


@pytest.mark.parametrize("origin", [f"{NAME}/ch_2", "openai_chat/ch_1"])
def test_signatures_go_to_their_maker_only(origin: str) -> None:  # pitfalls 64, 66, 128
    items = list(replayed(answer(RESPONSES, MESSAGES, codex(), SIGNED_STREAM, CLAUDE)))
    payload, lost = next_turn(RESPONSES, codec(origin.partition("/")[0]), codex(*items), origin)
    assert "EqQBCkYIARgCKkDx" not in json.dumps(payload) and "EmwKAhgB" not in json.dumps(payload)
    assert "reasoning.encrypted_content" in lost
    asked = {**codex(*items), "model": "claude-sonnet-4-5", "reasoning": {"effort": "high"}}
    elsewhere, _ = next_turn(RESPONSES, MESSAGES, asked, f"{NAME}/ch_2")
    assert "thinking" not in elsewhere
    assert MESSAGES.decode_request({**elsewhere}).reasoning in (None, Reasoning())


def claude_code(*messages: dict[str, Any]) -> dict[str, Any]:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("shell", "search")]
    first = {"role": "user", "content": "go"}
    return {"model": "m", "max_tokens": 99, "stream": True, "messages": [first, *messages], "tools": tools}


def claude_code_replays(said: bytes) -> list[dict[str, Any]]:
    """The answer as Claude Code sends it back: the blocks as they came, then a result for each call."""
    blocks: list[dict[str, Any]] = []
    for event in told(said):
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            change = event["delta"]
            match change["type"]:
                case "text_delta":
                    blocks[-1]["text"] += change["text"]
                case "thinking_delta":
                    blocks[-1]["thinking"] += change["thinking"]
                case "signature_delta":
                    blocks[-1]["signature"] = change["signature"]
                case "input_json_delta":
                    blocks[-1]["json"] = blocks[-1].get("json", "") + change["partial_json"]
    for block in blocks:
        if "json" in block:
            block["input"] = json.loads(block.pop("json"))
    results = [
        {"type": "tool_result", "tool_use_id": b["id"], "content": "ok"} for b in blocks if b["type"] == "tool_use"
    ]
    return [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]


def test_other_vendors_thinking_by_way_of_claude_code() -> None:  # pitfall 117
    stream = (TESTS / "fixtures/openai_chat/interleaved-calls.stream.sse").read_bytes()
    replay = claude_code_replays(answer(MESSAGES, CHAT, claude_code(), stream, "openai_chat/ch_1"))
    thinking = replay[0]["content"][0]
    assert (
        thinking["signature"].startswith(PREFIX) and thinking["thinking"] == "The user wants a listing, so two calls."
    )
    deepseek = CHANNEL_TYPES["deepseek"].quirks
    payload, _ = next_turn(MESSAGES, CHAT, claude_code(*replay), "openai_chat/ch_1", deepseek)
    (message,) = [message for message in payload["messages"] if message["role"] == "assistant"]
    assert message["reasoning_content"] == thinking["thinking"]


def test_ciphertext_of_openais_by_way_of_claude_code() -> None:  # pitfalls 64, 67
    stream = (TESTS / "fixtures/openai_responses/every-kind-of-call.stream.sse").read_bytes()
    origin = "openai_responses/ch_1"
    said = answer(MESSAGES, RESPONSES, claude_code(), stream, origin)
    assert b"gAAAA" not in said
    replay = claude_code_replays(said)
    back, _ = next_turn(MESSAGES, RESPONSES, claude_code(*replay), origin, Quirks(custom_tools=True))
    made = [item for item in back["input"] if item.get("type") == "reasoning"]
    assert made and all(item["encrypted_content"] for item in made)
    elsewhere, lost = next_turn(MESSAGES, MESSAGES, claude_code(*replay), CLAUDE)
    assert PREFIX not in json.dumps(elsewhere) and "reasoning.encrypted_content" in lost
    assert all(block["type"] != "thinking" for content in assistants(elsewhere) for block in content)


def test_a_calls_own_state_by_way_of_claude_code() -> None:  # pitfall 88
    stream = (TESTS / "fixtures/openai_chat/streams/gemini-compatible.sse").read_bytes()
    replay = claude_code_replays(answer(MESSAGES, CHAT, claude_code(), stream, "openai_chat/ch_1"))
    payload, _ = next_turn(MESSAGES, CHAT, claude_code(*replay), "openai_chat/ch_1")
    (message,) = [message for message in payload["messages"] if message["role"] == "assistant"]
    assert "extra_content" in message["tool_calls"][0]


def test_our_envelopes_never_reach_anthropic() -> None:  # pitfalls 64, 67
    ours = SEAL.seal("openai_chat/ch_1", {"text": "raw"})
    theirs = {"type": "thinking", "thinking": "t", "signature": "EqQB"}
    payload = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "axh1. is our prefix"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": ours}, theirs]},
            {"role": "assistant", "content": [{"type": "redacted_thinking", "data": ours}]},
            "odd",
        ],
    }
    stripped, losses = strip_thinking(payload)
    assert stripped["messages"] == [payload["messages"][0], {"role": "assistant", "content": [theirs]}, "odd"]
    assert [loss.field for loss in losses] == ["messages.thinking.signature"] and "2 times" in losses[0].reason
    assert strip_thinking(stripped)[0] is stripped and strip_thinking({"input": []})[0] == {"input": []}
    assert strip_sealed(payload, SEAL)[0] is payload


def test_thoughts_that_nobody_signed_reach_only_who_takes_them() -> None:  # pitfalls 64, 124
    """Gemini's thoughts are shown to Claude Code, which hands them in to whoever is asked next."""
    spoken = {"type": "text", "text": "hi"}
    thought = {"type": "thinking", "thinking": "t", "signature": ""}
    payload = {"model": "m", "messages": [{"role": "assistant", "content": [thought, spoken]}]}
    stripped, losses = strip_thinking(payload)
    assert stripped["messages"] == [{"role": "assistant", "content": [spoken]}]
    assert [loss.field for loss in losses] == ["messages.thinking.signature"]
    assert strip_thinking(payload, unsigned=True)[0] is payload
