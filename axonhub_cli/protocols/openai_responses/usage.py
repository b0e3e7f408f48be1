"""Token counts of Responses, both ways, and our estimate where an upstream gives none.

https://platform.openai.com/docs/api-reference/responses/object (usage)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from axonhub_cli.llm.content import (
    CompactionPart,
    CustomTool,
    FunctionTool,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Usage
from axonhub_cli.protocols.base import JSON

_CHARACTERS = 4  # of English text or code to a token, roughly
_PICTURE = 800  # tokens: an image of middling size


def decode_usage(value: Any) -> Usage | None:
    """None where there is nothing to read."""
    if not isinstance(value, dict):
        return None
    inputs, outputs = value.get("input_tokens_details"), value.get("output_tokens_details")
    inputs = inputs if isinstance(inputs, dict) else {}
    outputs = outputs if isinstance(outputs, dict) else {}
    cached = _count(inputs.get("cached_tokens"))
    if cached is None:
        cached = _count(value.get("prompt_cache_hit_tokens"))  # pitfall 177
    return Usage(
        _count(value.get("input_tokens", value.get("prompt_tokens"))),
        cached,
        _count(inputs.get("cache_write_tokens")),
        _count(value.get("output_tokens", value.get("completion_tokens"))),
        _count(outputs.get("reasoning_tokens")),
        raw=value,
    )


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


def encode_usage(usage: Usage | None, request: Request, parts: Iterable[Part]) -> JSON:
    """The wire's usage. What is unknown is estimated: a client that compacts by the total must see it grow
    (pitfall 35). Both details are always whole; Codex fails the turn over one that lacks its number."""
    usage = usage or Usage()
    given, taken = usage.input, usage.output
    if given is None:
        given = estimate_request(request)
    if taken is None:
        taken = sum(map(_size, parts)) // _CHARACTERS + 1
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": min(usage.cached or 0, given),
            "cache_write_tokens": min(usage.cache_written or 0, given),
        },
        "output_tokens": taken,
        "output_tokens_details": {"reasoning_tokens": min(usage.reasoning or 0, taken)},
        "total_tokens": given + taken,
    }


def estimate_request(request: Request) -> int:
    """Tokens of a request by the length of its texts; no model's own count."""
    size = sum(_size(part) for message in request.messages for part in message.parts)
    for tool in request.declared_tools():
        if isinstance(tool, (FunctionTool, CustomTool)):
            schema = tool.parameters if isinstance(tool, FunctionTool) else tool.format
            size += len(tool.name) + len(tool.description or "") + len(msgspec.json.encode(schema or {}))
    return size // _CHARACTERS + 4 * len(request.messages) + 1


def _size(part: Part) -> int:
    """Characters."""
    match part:
        case TextPart(text=text) | RefusalPart(text=text):
            return len(text)
        case ReasoningPart(text=text, summary=summary):
            return len(text) or sum(map(len, summary))
        case ToolCallPart(name=name, input=text):
            return len(name) + len(text)
        case ToolResultPart(content=content):
            return sum(map(_size, content))
        case CompactionPart(summary=summary):
            return len(summary or "")
        case _:
            return _PICTURE * _CHARACTERS
