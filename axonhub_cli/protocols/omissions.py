"""Payloads of any protocol without something in them: opaque state, images, a field, the oldest results of tools.

Each function gives a copy and what is missing from it, or the same object where there was nothing to leave out. The
caller's payload is never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from axonhub_cli.protocols.anthropic_messages.thinking import UNSIGNED, budgeted, switched_off, unsigned_loop
from axonhub_cli.protocols.base import JSON, Loss
from axonhub_cli.protocols.gemini.signatures import FIELD, SENTINEL

Edit = Callable[[JSON], tuple[JSON, tuple[Loss, ...]]]

NO_IMAGE = "[image left out: this model reads text only]"
NO_RESULT = "[result left out: the conversation was too long]"
_UNREADABLE = "the upstream could not read its state"
_TOO_LONG = "the oldest results; the conversation was longer than the model's window"
_TRIMMED_SHARE = 1 / 3  # of the payload's bytes; whoever asks for a summary is a few per cent over at most

_MADE_BY_MODEL = frozenset({"message", "function_call", "custom_tool_call", "local_shell_call", "tool_search_call"})
_THINKING = frozenset({"thinking", "redacted_thinking"})
_IMAGES = {"input_image": "input_text", "image_url": "text", "image": "text"}


def without_state(payload: JSON) -> tuple[JSON, tuple[Loss, ...]]:
    """What the conversation says stays, compactions among it."""
    for field, edit in (("input", _input), ("messages", _messages), ("contents", _contents)):
        if isinstance(payload.get(field), list):
            return edit(payload, payload[field])
    return payload, ()


def without_images(payload: JSON) -> tuple[JSON, tuple[Loss, ...]]:
    """A word in place of each."""
    for field in ("input", "messages"):
        changed = _no_images(payload.get(field), 0)
        if changed is not payload.get(field):
            return {**payload, field: changed}, (Loss(f"{field}.image", "the upstream refused images"),)
    return payload, ()


def without_field(payload: JSON, path: str) -> tuple[JSON, tuple[Loss, ...]]:
    """`path` is dotted; in a list it means every item, so it holds no indexes."""
    changed = _pruned(payload, path.split("."))
    return (payload, ()) if changed is payload else (changed, (Loss(path, "the upstream refused the field"),))


def without_old_results(payload: JSON) -> tuple[JSON, tuple[Loss, ...]]:
    """The oldest results of tools give way to a word, until a third of the payload is gone."""
    spare = len(msgspec.json.encode(payload)) * _TRIMMED_SHARE
    count = 0
    for field in ("input", "messages", "contents"):
        if not isinstance(payload.get(field), list):
            continue
        items = list(payload[field])
        for index, item in enumerate(items):
            if spare <= 0:
                break
            items[index], saved, cut = _trimmed(item)
            spare, count = spare - saved, count + cut
        if count:
            words = f"{_TOO_LONG} ({count} times)"
            return {**payload, field: items}, (Loss(f"{field}.tool_result", words),)
    return payload, ()


def _input(payload: JSON, items: list[Any]) -> tuple[JSON, tuple[Loss, ...]]:
    """Responses: ids of what the model made go too, since each names the reasoning it came from."""
    if not any(_kind(item) == "reasoning" for item in items):
        return payload, ()
    kept = [_without_id(item) for item in items if _kind(item) != "reasoning"]
    return {**payload, "input": kept}, (Loss("input.reasoning", _UNREADABLE),)


def _without_id(item: Any) -> Any:
    if isinstance(item, dict) and "id" in item and item.get("type", "message") in _MADE_BY_MODEL:
        return {name: value for name, value in item.items() if name != "id"}
    return item


def _messages(payload: JSON, messages: list[Any]) -> tuple[JSON, tuple[Loss, ...]]:
    """Anthropic Messages and Chat Completions."""
    kept = [_message(message) for message in messages]
    losses: list[Loss] = []
    if any(new is not old for new, old in zip(kept, messages, strict=True)):
        payload = {**payload, "messages": [message for message in kept if message.get("content") != []]}
        losses.append(Loss("messages.reasoning", _UNREADABLE))
    if budgeted(payload) and unsigned_loop(payload["messages"]):
        payload = switched_off(payload)
        losses.append(Loss("thinking", UNSIGNED))
    return payload, tuple(losses)


def _message(message: Any) -> Any:
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    changed = {name: value for name, value in message.items() if name != "reasoning_details"}
    content, calls = message.get("content"), message.get("tool_calls")
    if isinstance(content, list):
        changed["content"] = [block for block in content if _kind(block) not in _THINKING]
    if isinstance(calls, list):
        changed["tool_calls"] = [_call(call) for call in calls]
    return message if changed == message else changed


def _call(call: Any) -> Any:
    """Google's signature on a call of Chat Completions.
    https://ai.google.dev/gemini-api/docs/thought-signatures (OpenAI compatibility)"""
    if not isinstance(call, dict) or "extra_content" not in call:
        return call
    return {**call, "extra_content": {"google": {"thought_signature": SENTINEL}}}


def _contents(payload: JSON, contents: list[Any]) -> tuple[JSON, tuple[Loss, ...]]:
    """Gemini: a call gets the documented stand-in, whether or not it had a signature (pitfall 89)."""
    kept = [_content(content) for content in contents]
    if all(new is old for new, old in zip(kept, contents, strict=True)):
        return payload, ()
    spoken = [content for content in kept if content.get("parts") != []]
    return {**payload, "contents": spoken}, (Loss("contents.parts.thoughtSignature", _UNREADABLE),)


def _content(content: Any) -> Any:
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list) or content.get("role") != "model":
        return content
    kept = [changed for part in parts if (changed := _part(part)) is not None]
    return content if kept == parts else {**content, "parts": kept}


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    bare = {name: value for name, value in part.items() if name not in (FIELD, "thought_signature")}
    if "functionCall" in bare or "function_call" in bare:
        return {**bare, FIELD: SENTINEL}
    return bare if bare.get("text") or not bare.keys() <= {"text", "thought"} else None


def _no_images(value: Any, depth: int) -> Any:
    """The same object where there is no image in it. Content is never nested deeper than this looks."""
    if depth > 6:
        return value
    if isinstance(value, list):
        changed = [_no_images(item, depth + 1) for item in value]
        return value if all(a is b for a, b in zip(changed, value, strict=True)) else changed
    if not isinstance(value, dict):
        return value
    if (text := _IMAGES.get(_kind(value))) is not None:
        return {"type": text, "text": NO_IMAGE}
    for name in ("content", "output"):
        if isinstance(value.get(name), list):
            changed = _no_images(value[name], depth + 1)
            if changed is not value[name]:
                value = {**value, name: changed}
    return value


def _pruned(value: Any, steps: list[str]) -> Any:
    """The same object where the path leads nowhere."""
    if isinstance(value, list):
        changed = [_pruned(item, steps) for item in value]
        return value if all(a is b for a, b in zip(changed, value, strict=True)) else changed
    name, *rest = steps
    if not isinstance(value, dict) or name not in value:
        return value
    if not rest:
        return {key: kept for key, kept in value.items() if key != name}
    inner = _pruned(value[name], rest)
    return value if inner is value[name] else {**value, name: inner}


def _trimmed(item: Any) -> tuple[Any, int, int]:
    """An item or message with a word for each result in it, the bytes that saves, and how many results there were."""
    if not isinstance(item, dict):
        return item, 0, 0
    if _kind(item).endswith("_output") and "output" in item:
        return _cut(item, "output", NO_RESULT)
    if item.get("role") == "tool":
        return _cut(item, "content", NO_RESULT)
    for name in ("content", "parts"):
        if isinstance(item.get(name), list):
            blocks = [_trimmed_block(block) for block in item[name]]
            saved, count = sum(block[1] for block in blocks), sum(block[2] for block in blocks)
            return ({**item, name: [block[0] for block in blocks]} if count else item), saved, count
    return item, 0, 0


def _trimmed_block(block: Any) -> tuple[Any, int, int]:
    if not isinstance(block, dict):
        return block, 0, 0
    if _kind(block) == "tool_result":
        return _cut(block, "content", NO_RESULT)
    response = block.get("functionResponse")
    if isinstance(response, dict):
        inner, saved, count = _cut(response, "response", {"output": NO_RESULT})
        return {**block, "functionResponse": inner}, saved, count
    return block, 0, 0


def _cut(value: JSON, name: str, word: Any) -> tuple[JSON, int, int]:
    """Only where that makes it shorter."""
    saved = len(msgspec.json.encode(value.get(name))) - len(msgspec.json.encode(word))
    return ({**value, name: word}, saved, 1) if saved > 0 else (value, 0, 0)


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""
