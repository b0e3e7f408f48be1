"""Reads the messages of a Chat client's request.

https://platform.openai.com/docs/api-reference/chat/create (messages), plus the reasoning fields of other vendors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.content import (
    AudioPart,
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
)
from axonhub_cli.llm.errors import invalid
from axonhub_cli.llm.request import Message, Role
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_chat import fields as read
from axonhub_cli.protocols.openai_chat.content import HOLDER
from axonhub_cli.protocols.openai_chat.details import FIELD
from axonhub_cli.protocols.openai_chat.fields import NAME

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.DEVELOPER,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
_COMMON = frozenset({"role", "content", "name"})
_OWN = {
    Role.ASSISTANT: _COMMON | {"tool_calls", "function_call", "refusal", "reasoning_content", "reasoning", FIELD},
    Role.TOOL: _COMMON | {"tool_call_id"},
}
_PART_FIELDS = {
    "text": frozenset({"type", "text"}),
    "refusal": frozenset({"type", "refusal"}),
    "image_url": frozenset({"type", "image_url"}),
    "input_audio": frozenset({"type", "input_audio"}),
    "file": frozenset({"type", "file"}),
}


def decode_messages(payload: JSON) -> tuple[Message, ...]:
    """Every message. Raises Failure where there are none or one has a role nobody knows."""
    if not isinstance(payload.get("messages"), list):
        raise read.wrong("messages", "a list")
    reader = _Reader()
    return tuple(
        reader.message(read.as_object(entry, f"messages[{at}]"), f"messages[{at}].")
        for at, entry in enumerate(payload["messages"])
    )


class _Reader:
    """Remembers the legacy calls, which have no ids of their own."""

    def __init__(self) -> None:
        self._legacy = 0

    def message(self, entry: Mapping[str, Any], path: str) -> Message:
        """One message."""
        word = read.required(entry, "role", path)
        role = _ROLES.get(word)
        if role is None:
            known = ", ".join(_ROLES)
            raise invalid(f"Invalid value for '{path}role': '{word}'. Supported are: {known}.", path + "role")
        extras = read.rest(entry, _OWN.get(role, _COMMON))
        content = _content(entry.get("content"), path + "content", extras)
        name = read.text(entry, "name", path)
        parts: tuple[Part, ...]
        match role:
            case Role.ASSISTANT:
                parts = (*_reasoning(entry, path), *content, *_refusal(entry, path), *self._calls(entry, path))
            case Role.TOOL:
                call_id = (
                    f"call_{self._legacy - 1}" if word == "function" else read.required(entry, "tool_call_id", path)
                )
                parts, name = (ToolResultPart(call_id, content, name=name),), None
            case _:
                parts = content
        return Message(role, parts, name=name, extras={NAME: extras} if extras else {})

    def _calls(self, entry: Mapping[str, Any], path: str) -> list[Part]:
        calls: list[Part] = []
        for at, raw in enumerate(read.items(entry, "tool_calls", path)):
            where = f"{path}tool_calls[{at}]"
            calls.append(_call(read.as_object(raw, where), where + "."))
        if (legacy := read.mapping(entry, "function_call", path)) is not None:
            where = path + "function_call."
            arguments = read.text(legacy, "arguments", where) or ""
            calls.append(ToolCallPart(f"call_{self._legacy}", read.required(legacy, "name", where), arguments))
            self._legacy += 1
        return calls


def _call(raw: Mapping[str, Any], path: str) -> ToolCallPart:
    kind = read.text(raw, "type", path) or "function"
    if kind not in {"function", "custom"}:
        raise read.wrong(path + "type", "function or custom")
    inner = read.mapping(raw, kind, path)
    if inner is None:
        raise read.wrong(path + kind, "an object")
    other = read.rest(raw, frozenset({"id", "type", "index", kind}))
    field = "arguments" if kind == "function" else "input"
    return ToolCallPart(
        read.required(raw, "id", path),
        read.required(inner, "name", f"{path}{kind}."),
        read.text(inner, field, f"{path}{kind}.") or "",
        ToolKind.FUNCTION if kind == "function" else ToolKind.CUSTOM,
        opaque={NAME: other} if other else {},
    )


def _reasoning(entry: Mapping[str, Any], path: str) -> list[Part]:
    """One part for all the fields in which vendors let it come back (pitfall 58)."""
    text = read.text(entry, "reasoning_content", path) or read.text(entry, "reasoning", path) or ""
    blocks = read.items(entry, FIELD, path)
    if not text:
        text = "".join(
            block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)
        )
    if not text and not blocks:
        return []
    return [ReasoningPart(text, opaque={NAME: {FIELD: blocks}} if blocks else {})]


def _refusal(entry: Mapping[str, Any], path: str) -> list[Part]:
    text = read.text(entry, "refusal", path)
    return [RefusalPart(text)] if text is not None else []


def _content(value: Any, path: str, extras: dict[str, Any]) -> tuple[Part, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (TextPart(value),)
    if not isinstance(value, list):
        raise read.wrong(path, "a string or a list")
    return tuple(_part(read.as_object(raw, f"{path}[{at}]"), f"{path}[{at}].", extras) for at, raw in enumerate(value))


def _part(raw: Mapping[str, Any], path: str, extras: dict[str, Any]) -> Part:
    kind = read.required(raw, "type", path)
    for name, value in read.rest(raw, _PART_FIELDS.get(kind, frozenset(raw))).items():
        extras[f"content.{name}"] = value  # cache_control and the like: no place in a part, but no silent loss either
    match kind:
        case "text":
            return TextPart(read.required(raw, "text", path))
        case "refusal":
            return RefusalPart(read.required(raw, "refusal", path))
        case "image_url":
            return _image(raw, path)
        case "input_audio":
            inner, path = read.as_object(raw.get(kind), path + kind), f"{path}{kind}."
            return AudioPart(read.required(inner, "data", path), read.required(inner, "format", path))
        case "file":
            inner, path = read.as_object(raw.get(kind), path + kind), f"{path}{kind}."
            data, file_id = read.text(inner, "file_data", path), read.text(inner, "file_id", path)
            return FilePart(data, None, file_id, read.text(inner, "filename", path), HOLDER)
        case _:
            return OpaquePart(NAME, kind, dict(raw))


def _image(raw: Mapping[str, Any], path: str) -> ImagePart:
    value = raw.get("image_url")
    if isinstance(value, str):  # many clients write it flat
        return ImagePart(value)
    inner = read.as_object(value, path + "image_url")
    return ImagePart(read.required(inner, "url", path + "image_url."), read.text(inner, "detail", path + "image_url."))
