"""Thought signatures through a whole loop with Codex: Gemini's stream, Codex's replay, the next request."""

from __future__ import annotations

from typing import Any

import pytest

from axonhub_cli.protocols.gemini.signatures import SENTINEL
from axonhub_cli.protocols.opaque import Seal, seal_part, unseal_request
from axonhub_cli.protocols.registry import codec
from axonhub_cli.protocols.translator import Translation
from axonhub_cli.vendors import CHANNEL_TYPES
from tests.protocols.gemini.helpers import FIXTURES, validate
from tests.protocols.replay import replayed

RESPONSES, GEMINI = codec("openai_responses"), codec("gemini")
QUIRKS = CHANNEL_TYPES["gemini"].quirks
ORIGIN = "gemini/ch_1"
SIGNATURE = "CpcHAdHtim9+q4rstcbc0ic4Zy/EtqMJAg=="


def ask(*items: dict[str, Any]) -> dict[str, Any]:
    tools = [{"type": "function", "name": "read_file", "parameters": {"type": "object", "properties": {}}}]
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}
    return {"model": "gemini-3-pro", "stream": True, "input": [user, *items], "tools": tools}


def turn(name: str) -> list[dict[str, Any]]:
    relay = Translation(
        RESPONSES,
        GEMINI,
        RESPONSES.decode_request(ask()),
        quirks=QUIRKS,
        response_id="r1",
        now=1,
        seal_part=lambda part: seal_part(part, Seal(b"s" * 32), ORIGIN),
    )
    data = (FIXTURES / name).read_bytes()
    return list(replayed(relay.feed(data) + relay.close()))


def next_parts(items: list[dict[str, Any]], origin: str = ORIGIN) -> list[dict[str, Any]]:
    """The model's turn that Gemini is sent after a restart of the hub."""
    request, _ = unseal_request(RESPONSES.decode_request(ask(*items)), Seal(b"s" * 32), origin, "gemini")
    payload = GEMINI.encode_request(request, QUIRKS).payload
    validate(payload)
    model = [content for content in payload["contents"] if content["role"] == "model"]
    found: list[dict[str, Any]] = model[0]["parts"]
    return found


@pytest.mark.parametrize(("origin", "signature"), [(ORIGIN, SIGNATURE), ("gemini/ch_2", SENTINEL)])
def test_parallel_calls(origin: str, signature: str) -> None:  # pitfalls 1, 64, 88, 89, 95, 128
    text, first, second = next_parts(turn("parallel-calls.stream.sse"), origin)
    assert text == {"text": "I read both."}
    assert first["thoughtSignature"] == signature and "thoughtSignature" not in second
    assert first["functionCall"]["args"] == {"path": "a.py", "lines": [1, 20]}


def test_text() -> None:  # pitfall 88
    parts = next_parts(turn("streams/signature-on-empty-text.sse"))
    assert parts == [{"text": "Hi there!"}, {"text": "", "thoughtSignature": "EjQKMgG+Pvb7abc="}]


def test_codex_reads_the_thoughts() -> None:  # pitfall 32
    reasoning = turn("parallel-calls.stream.sse")[0]
    assert reasoning["type"] == "reasoning" and "Looking around" in reasoning["summary"][0]["text"]
