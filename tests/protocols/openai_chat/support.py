"""Fixtures and short ways to run a codec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.events import StreamEvent, check
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks

TESTS = Path(__file__).parents[2]
FIXTURES = TESTS / "fixtures" / "openai_chat"
STREAMS = sorted((FIXTURES / "streams").glob("*.sse"))
# Streams of vendors that need to be read with their own quirks.
QUIRKS = {"minimax-think-tags": Quirks(think_tags=True), "qwen-lone-closer": CHANNEL_TYPES["qwen"].quirks}


def quirks_of(path: Path) -> Quirks:
    return QUIRKS.get(path.stem, Quirks())


def decode(data: bytes, step: int | None = None, quirks: Quirks | None = None) -> list[StreamEvent]:
    """The events of a stream that arrives in pieces of `step` bytes; grammar checked."""
    decoder = CODEC.stream_decoder(quirks or Quirks())
    step = step or max(len(data), 1)
    events = [event for at in range(0, len(data), step) for event in decoder.feed(data[at : at + step])]
    return list(check(events + decoder.close()))


def sse(*chunks: Any, done: bool = True) -> bytes:
    out = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    return out + (b"data: [DONE]\n\n" if done else b"")


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [choice],
        **more,
    }


def call(
    index: int | None = None, id: str | None = None, name: str | None = None, arguments: str = ""
) -> dict[str, Any]:
    entry: dict[str, Any] = {"function": {"arguments": arguments}}
    if index is not None:
        entry["index"] = index
    if id is not None:
        entry["id"] = id
    if name is not None:
        entry["function"]["name"] = name
    return {"tool_calls": [entry]}


def failure(function: Any, *arguments: Any) -> Failure:
    try:
        function(*arguments)
    except Failure as problem:
        return problem
    raise AssertionError("nothing failed")


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value)
