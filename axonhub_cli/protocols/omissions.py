"""Payloads of any protocol without something in them: images, a field, the oldest results of tools. What only one
protocol has is left out by its own `forgetting`.

Each function gives a copy and what is missing from it, or the same object where there was nothing to leave out. The
caller's payload is never touched.
"""

from __future__ import annotations

from typing import Any

import msgspec

from axonhub_cli.protocols.base import JSON, Edited, Loss
from axonhub_cli.protocols.media import NO_IMAGE

NO_RESULT = "[result left out: the conversation was too long]"
UNREADABLE = "the upstream could not read its state"
_TOO_LONG = "the oldest results; the conversation was longer than the model's window"
_TRIMMED_SHARE = 1 / 3  # of the payload's bytes; whoever asks for a summary is a few per cent over at most

_IMAGES = {"input_image": "input_text", "image_url": "text", "image": "text"}


def without_images(payload: JSON) -> Edited:
    """A word in place of each."""
    for field in ("input", "messages"):
        changed = _no_images(payload.get(field), 0)
        if changed is not payload.get(field):
            return {**payload, field: changed}, (Loss(f"{field}.image", "the upstream refused images"),)
    return payload, ()


def without_field(payload: JSON, path: str) -> Edited:
    """`path` is dotted; in a list it means every item, so it holds no indexes."""
    changed = _pruned(payload, path.split("."))
    return (payload, ()) if changed is payload else (changed, (Loss(path, "the upstream refused the field"),))


def without_old_results(payload: JSON) -> Edited:
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


def _no_images(value: Any, depth: int) -> Any:
    """The same object where there is no image in it. Content is never nested deeper than this looks."""
    if depth > 6:
        return value
    if isinstance(value, list):
        changed = [_no_images(item, depth + 1) for item in value]
        return value if all(a is b for a, b in zip(changed, value, strict=True)) else changed
    if not isinstance(value, dict):
        return value
    if (text := _IMAGES.get(kind_of(value))) is not None:
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
    if kind_of(item).endswith("_output") and "output" in item:
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
    if kind_of(block) == "tool_result":
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


def kind_of(value: Any) -> str:
    """The `type` of an item or block; empty where it has none."""
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""
