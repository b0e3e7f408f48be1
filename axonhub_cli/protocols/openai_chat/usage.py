"""Token counts as the Chat dialects word them.

https://platform.openai.com/docs/api-reference/chat/object (usage); pitfalls 34, 176, 177.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.response import Usage
from axonhub_cli.protocols.base import JSON


def decode_usage(raw: object, timings: object = None) -> Usage | None:
    """None where nothing was counted: absent, no object, or all zero (some send zeros until the last chunk).

    `timings` is llama.cpp's own object beside `usage`; only what `usage` lacks is read from it.
    """
    usage = raw if isinstance(raw, Mapping) else {}
    speed = timings if isinstance(timings, Mapping) else {}
    incoming = _mapping(usage, "prompt_tokens_details") or _mapping(usage, "input_tokens_details")
    outgoing = _mapping(usage, "completion_tokens_details") or _mapping(usage, "output_tokens_details")
    cached = _first(
        (incoming, "cached_tokens"),
        (usage, "cached_tokens"),  # Kimi
        (usage, "prompt_cache_hit_tokens"),  # DeepSeek, pitfall 177
        (speed, "cache_n"),  # llama.cpp
    )
    count = _first((usage, "prompt_tokens"), (usage, "input_tokens"))
    if count is None and (fresh := _first((speed, "prompt_n"))) is not None:
        count = fresh + (cached or 0)
    output = _first((usage, "completion_tokens"), (usage, "output_tokens"), (speed, "predicted_n"))
    if not count and not output:
        return None
    reasoning = _first((outgoing, "reasoning_tokens"), (usage, "reasoning_tokens"))
    written = _first((incoming, "cache_write_tokens"), (usage, "cache_creation_input_tokens"))
    if output is not None and reasoning and _apart(usage, (count or 0) + output, reasoning):
        output += reasoning
    return Usage(count, cached, written, output, reasoning, raw=raw)


def _apart(usage: Mapping[str, Any], known: int, reasoning: int) -> bool:
    """Whether reasoning is not in the output, as ours is: xAI's own total gives it away."""
    return reasoning > 0 and _first((usage, "total_tokens")) == known + reasoning


def _mapping(usage: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = usage.get(key)
    return value if isinstance(value, Mapping) else {}


def _first(*places: tuple[Mapping[str, Any], str]) -> int | None:
    for holder, key in places:
        value = holder.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
            return int(value)
    return None


def encode_usage(usage: Usage | None) -> JSON | None:
    """As OpenAI words it, both detail objects always there (pitfall 34); None where nothing is known."""
    if usage is None:
        return None
    count, output = usage.input or 0, usage.output or 0
    prompt: JSON = {"cached_tokens": usage.cached or 0, "audio_tokens": 0}
    if usage.cache_written is not None:
        prompt["cache_write_tokens"] = usage.cache_written
    return {
        "prompt_tokens": count,
        "completion_tokens": output,
        "total_tokens": count + output,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning or 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
