"""Fixtures, Google's own types, and short ways to run the codec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.genai import types

from axonhub_cli.llm.content import Part, TextPart, ToolCallPart, ToolResultPart
from axonhub_cli.llm.events import StreamEvent, check
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.base import Encoded
from axonhub_cli.protocols.gemini import CODEC
from axonhub_cli.protocols.gemini.writer import TORN
from axonhub_cli.vendors import Quirks

TESTS = Path(__file__).parents[2]
FIXTURES = TESTS / "fixtures" / "gemini"
OPENAI = Quirks()
PNG = "data:image/png;base64,iVBORw0KGgo="
_CONFIG = {"systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent", "labels", "serviceTier"}


def message(role: Role, *parts: Part | str) -> Message:
    return Message(role, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def user(*parts: Part | str) -> Message:
    return message(Role.USER, *parts)


def assistant(*parts: Part | str) -> Message:
    return message(Role.ASSISTANT, *parts)


def called(call_id: str, name: str = "run", arguments: str = "{}", **fields: Any) -> ToolCallPart:
    return ToolCallPart(call_id, name, arguments, **fields)


def result(call_id: str, *parts: Part | str, **fields: Any) -> Message:
    content = tuple(TextPart(part) if isinstance(part, str) else part for part in parts)
    return Message(Role.TOOL, (ToolResultPart(call_id, content, **fields),))


def encode(*messages: Message, quirks: Quirks = OPENAI, model: str = "gemini-3-pro", **fields: Any) -> Encoded:
    encoded = CODEC.encode_request(Request(model, messages, **fields), quirks)
    validate(encoded.payload)
    return encoded


def contents(*messages: Message, quirks: Quirks = OPENAI, **fields: Any) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = encode(*messages, quirks=quirks, **fields).payload["contents"]
    return written


def lost(encoded: Encoded) -> set[str]:
    return {loss.field for loss in encoded.losses}


def validate(payload: dict[str, Any]) -> None:
    """Fits Google's own types, which refuse any field they do not know."""
    assert "model" not in payload and "stream" not in payload
    for content in payload["contents"]:
        types.Content.model_validate_json(json.dumps(content))
    config = {name: value for name, value in payload.items() if name in _CONFIG} | payload.get("generationConfig", {})
    types.GenerateContentConfig.model_validate_json(json.dumps(config))
    assert payload.keys() <= _CONFIG | {"contents", "generationConfig"}


def decode(data: bytes, step: int | None = None) -> list[StreamEvent]:
    """The events of a stream that arrives in pieces of `step` bytes; grammar checked."""
    decoder = CODEC.stream_decoder(Quirks())
    step = step or max(len(data), 1)
    events = [event for at in range(0, len(data), step) for event in decoder.feed(data[at : at + step])]
    return list(check(events + decoder.close()))


def chunk(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "g", "responseId": "r1", **more}


def sse(*chunks: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(piece).encode() + b"\r\n\r\n" for piece in chunks)


def read(said: bytes) -> list[dict[str, Any]]:
    """What a Gemini client reads of a stream; every chunk checked against Google's types."""
    lines = said.removesuffix(TORN).split(b"\n")
    pieces = [json.loads(line[6:]) for line in lines if line.startswith(b"data: ")]
    for piece in pieces:
        if "error" not in piece:
            types.GenerateContentResponse.model_validate_json(json.dumps(piece))
    return pieces


def cli_accepts(pieces: list[dict[str, Any]]) -> bool:
    """Gemini CLI's own rules for a stream, restated (pitfall 99)."""
    text, called, finish = "", False, None
    for piece in pieces:
        for candidate in piece.get("candidates", ()):
            finish = candidate.get("finishReason") or finish
            parts = candidate.get("content", {}).get("parts", [])
            if not parts or any(part.get("text") == "" and not part.get("thought") for part in parts):
                continue
            called = called or any("functionCall" in part for part in parts)
            text += "".join(part.get("text", "") for part in parts if not part.get("thought"))
    return called or (bool(finish) and not str(finish).startswith(("MALFORMED", "UNEXPECTED")) and bool(text.strip()))
