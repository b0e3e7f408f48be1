"""What is read of a chunk or a whole completion, typed, and no more than that.

https://platform.openai.com/docs/api-reference/chat/streaming, plus the fields other vendors add (pitfalls 39-43, 58).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.protocols import loose


class WireFunction(Struct, gc=False):
    """A call's name and its input; some send the arguments as an object."""

    name: str | None = None
    arguments: Any = None
    input: str | None = None  # of a custom tool


class WireCall(Struct, gc=False):
    """A fragment of a tool call."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: WireFunction | None = None
    custom: WireFunction | None = None
    extra_content: Any = None  # Gemini's thought signatures travel here


class WireDelta(Struct):
    """What a chunk adds; in a whole answer, the message."""

    content: Any = None  # text; a list of parts in some whole answers
    reasoning_content: Any = None  # text; an object in Envoy's gateway
    reasoning: Any = None
    reasoning_details: Any = None
    refusal: str | None = None
    tool_calls: list[WireCall] | None = None
    function_call: WireFunction | None = None
    annotations: Any = None
    images: Any = None


class WireChoice(Struct):
    """One of the answers; only the first is read."""

    index: int | None = 0
    delta: WireDelta | None = None
    message: WireDelta | None = None
    finish_reason: str | None = None
    logprobs: Any = None
    usage: Any = None  # Kimi


class WireChunk(Struct):
    """One event of a stream, or a whole answer."""

    id: str | int | None = None
    model: str | None = None
    created: float | str | None = None
    choices: list[WireChoice] | None = None
    usage: Any = None
    x_groq: Any = None
    timings: Any = None  # llama.cpp
    service_tier: Any = None
    error: Any = None
    base_resp: Any = None  # MiniMax


_DECODER = msgspec.json.Decoder(WireChunk)
decode_strict = _DECODER.decode


def decode_lenient(data: bytes) -> WireChunk:
    """For chunks with numbers in strings, broken characters and the like. Raises msgspec.ValidationError, DecodeError
    or UnicodeDecodeError."""
    return convert(loose.decode(data))


def seconds(created: float | str | None) -> int | None:
    """When an answer was made; None where it does not say so in a number."""
    try:
        return int(float(created)) if created else None
    except (ValueError, OverflowError):
        return None


def convert(payload: object) -> WireChunk:
    """A payload that is decoded already. Raises msgspec.ValidationError."""
    return msgspec.convert(payload, WireChunk, strict=False)
