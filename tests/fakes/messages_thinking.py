"""Whether a model may be asked to think like that, and whether its thoughts came back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.messages_models import MODELS, Claude

JSON = dict[str, Any]
MIN_BUDGET = 1024
OLD_WAY = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" '
    "to control thinking behavior."
)
MUST_START = (
    "When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost "
    "set of `tool_use` and `tool_result` blocks). We recommend you include thinking blocks from previous turns. To "
    "avoid this requirement, disable `thinking`."
)


@dataclass
class Minted:
    """What the fake has given away: thoughts by their seal (signature or redacted data), the text that was shown with
    each, and the seals that belong before each call."""

    thoughts: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    calls: dict[str, tuple[str, ...]] = field(default_factory=dict)


def thinks(body: JSON) -> bool:
    """Whether the model thinks for this request."""
    kind = (body.get("thinking") or {}).get("type")
    return kind in ("enabled", "adaptive") or (
        kind is None and body["model"] in MODELS and MODELS[body["model"]].thinks
    )


def thinking(body: JSON, model: Claude, flags: list[str], minted: Minted) -> Iterator[str]:
    """What is wrong with how thinking is asked for, or with what came back of it."""
    config = body.get("thinking")
    if config is not None:
        yield from _asked(config, body, model, flags)
    effort = (body.get("output_config") or {}).get("effort")
    if effort is not None and not model.efforts:
        yield "This model does not support the effort parameter."
    elif effort is not None and effort not in model.efforts:
        yield f"output_config.effort: Input should be {' or '.join(repr(word) for word in model.efforts)}"
    yield from _returned(body["messages"], minted)
    if thinks(body):
        yield from _missing(body, minted)


def _asked(config: JSON, body: JSON, model: Claude, flags: list[str]) -> Iterator[str]:
    kind = config["type"]
    if kind not in model.thinking:
        expected = ", ".join(repr(word) for word in model.thinking)
        yield (
            OLD_WAY
            if kind == "enabled"
            else f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags: {expected}"
        )
    elif kind == "enabled":
        budget = config["budget_tokens"]
        if budget < MIN_BUDGET:
            yield f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_BUDGET}"
        if budget >= body["max_tokens"] and not any(flag.startswith("interleaved-thinking-") for flag in flags):
            yield "`max_tokens` must be greater than `thinking.budget_tokens`."


def _returned(messages: list[JSON], minted: Minted) -> Iterator[str]:
    """Every thought is one that was given away, to the byte."""
    last = max((at for at, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    for at, message in enumerate(messages):
        if message["role"] == "assistant" and _kind_of_last(message["content"]) == "thinking":
            yield f"messages.{at}: The final block in an assistant message cannot be `thinking`."
        for place, block in enumerate(message["content"] if isinstance(message["content"], list) else ()):
            path = f"messages.{at}.content.{place}"
            if block["type"] == "redacted_thinking" and block["data"] not in minted.thoughts:
                yield f"{path}: Invalid `data` in `redacted_thinking` block"
            if block["type"] != "thinking":
                continue
            if block["signature"] not in minted.thoughts:
                yield f"{path}: Invalid `signature` in `thinking` block"
            elif block["thinking"] != minted.shown[block["signature"]]:
                yield (
                    f"{path}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
                    "modified. These blocks must remain as they were in the original response."
                    if at == last
                    else f"{path}: Invalid `signature` in `thinking` block"
                )


def _kind_of_last(content: str | list[JSON]) -> str:
    return content[-1]["type"] if content and isinstance(content, list) else "text"


def _missing(body: JSON, minted: Minted) -> Iterator[str]:
    """The calls being answered come with the thoughts that led to them; where a budget was set, the loop begins with
    thinking, whoever made its calls, and so does an answer that is to be gone on with."""
    loop = _loop(body["messages"])
    for at, message in loop:
        blocks = message["content"]
        seals = {block.get("signature") or block.get("data") for block in blocks}
        wanted = [seal for block in blocks for seal in minted.calls.get(block.get("id"), ())]
        if not seals.issuperset(wanted):
            yield _expected(at, blocks)
    if (body.get("thinking") or {}).get("type") != "enabled":
        return
    last = len(body["messages"]) - 1
    begun = [(last, body["messages"][last])] if body["messages"][last]["role"] == "assistant" else []
    for at, message in loop[:1] + begun:
        blocks = content_blocks(message["content"])
        if blocks[0]["type"] not in ("thinking", "redacted_thinking"):
            yield _expected(at, blocks)


def content_blocks(content: str | list[JSON]) -> list[JSON]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _expected(at: int, blocks: list[JSON]) -> str:
    found = blocks[0]["type"]
    return (
        f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. {MUST_START}"
    )


def _loop(messages: list[JSON]) -> list[tuple[int, JSON]]:
    """The assistant's messages whose calls are being answered, first to last."""
    found: list[tuple[int, JSON]] = []
    for at in reversed(range(len(messages))):
        message = messages[at]
        content = message["content"] if isinstance(message["content"], list) else []
        kinds = {block["type"] for block in content}
        if message["role"] == "user" and "tool_result" not in kinds:
            break
        if message["role"] == "assistant" and "tool_use" in kinds:
            found.insert(0, (at, message))
    return found
