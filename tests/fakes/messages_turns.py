"""Whose turn it is, what a turn may hold, and that every call is answered at once."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.messages_models import Claude

JSON = dict[str, Any]
CALL_ID = re.compile(r"[a-zA-Z0-9_-]+\Z")
PICTURES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
NO_SYSTEM = (
    'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an '
    "input message role."
)
UNASKED = (
    "unexpected `tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` block must have a corresponding "
    "`tool_use` block in the previous message."
)


def turns(body: JSON, model: Claude) -> Iterator[str]:
    """What is wrong with the conversation."""
    messages = body["messages"]
    if not messages:
        yield "messages: at least one message is required"
        return
    yield from _roles(messages, model)
    for at, message in enumerate(messages):
        yield from _content(message["content"], f"messages.{at}", last=at == len(messages) - 1)
    yield from _last(messages[-1], model)
    yield from _pairs(messages)


def _roles(messages: list[JSON], model: Claude) -> Iterator[str]:
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    before = ""
    for at, message in enumerate(messages):
        role = message["role"]
        if role == "system":
            after = messages[at + 1]["role"] if at + 1 < len(messages) else "assistant"
            if not model.system_amid:
                yield NO_SYSTEM
            elif before != "user" or after != "assistant":
                yield f"messages.{at}: a system message must follow a user message and precede an assistant message"
        elif role == before:
            yield f'messages: roles must alternate between "user" and "assistant", but found multiple "{role}" roles'
        before = role if role != "system" else before


def _content(content: str | list[JSON], path: str, *, last: bool) -> Iterator[str]:
    if content in ("", []) and not last:
        yield f"{path}: all messages must have non-empty content except for the optional final assistant message"
    if isinstance(content, str):
        return
    for at, block in enumerate(content):
        match block["type"]:
            case "text":
                if not block["text"]:
                    yield "messages: text content blocks must be non-empty"
                elif not block["text"].strip():
                    yield "messages: text content blocks must contain non-whitespace text"
            case "tool_use":
                if not CALL_ID.match(block["id"]):
                    yield f"{path}.content.{at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            case "tool_result" if isinstance(block.get("content"), list):
                yield from _content(block["content"], f"{path}.content.{at}.tool_result", last=True)
            case "image" if block["source"]["type"] == "base64":
                yield from _picture(block["source"], f"{path}.content.{at}.image.source.base64")


def _picture(source: JSON, path: str) -> Iterator[str]:
    try:
        data = base64.b64decode(source["data"], validate=True)
    except (binascii.Error, ValueError):
        yield f"{path}.data: invalid base64 data"
        return
    if not data.startswith(PICTURES[source["media_type"]]):
        found = next((kind for kind, magic in PICTURES.items() if data.startswith(magic)), None)
        if found is None:
            yield "Could not process image"
        else:
            yield (
                f"{path}: The image was specified using the {source['media_type']} media type, but the image appears "
                f"to be a {found} image"
            )


def _last(message: JSON, model: Claude) -> Iterator[str]:
    if message["role"] != "assistant":
        return
    if not model.prefill:
        yield "This model does not support assistant message prefill. The conversation must end with a user message."
    content = message["content"]
    text = content if isinstance(content, str) else (content[-1].get("text") or "") if content else ""
    if text != text.rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"


def _pairs(messages: list[JSON]) -> Iterator[str]:
    seen: set[str] = set()
    waiting: list[str] = []
    for at, message in enumerate(messages):
        content = message["content"] if isinstance(message["content"], list) else []
        results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        first = [block["tool_use_id"] for block in content[: len(results)] if block["type"] == "tool_result"]
        missing = [call_id for call_id in waiting if call_id not in first]
        if missing:
            yield _unanswered(at - 1, missing)
        for place, call_id in enumerate(results):
            if call_id not in waiting:
                yield f"messages.{at}.content.{place}: {UNASKED.format(call_id)}"
        if len(set(results)) < len(results):
            yield f"messages.{at}.content: each tool_use must have a single result. Found multiple `tool_result` blocks"
        waiting = [block["id"] for block in content if block["type"] == "tool_use"]
        if len(seen) + len(waiting) > len(seen.union(waiting)):
            yield f"messages.{at}: `tool_use` ids must be unique"
        seen.update(waiting)
    if waiting:
        yield _unanswered(len(messages) - 1, waiting)


def _unanswered(at: int, calls: list[str]) -> str:
    return (
        f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(calls)}. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )
