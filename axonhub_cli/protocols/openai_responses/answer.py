"""Output items of an upstream -> neutral parts. Tolerant: what is missing is empty, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from axonhub_cli.llm.content import (
    CompactionPart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.protocols.openai_responses.fields import NAME, dump
from axonhub_cli.protocols.openai_responses.items import COMPACTION_KINDS, SEALED
from axonhub_cli.protocols.parts import probabilities
from axonhub_cli.protocols.tools import SEARCH_NAME, SHELL_NAME

Item = Mapping[str, Any]


def decode_output_item(item: Item) -> tuple[Part, ...]:
    """The parts of one item: a message's contents, else one part."""
    kind = item.get("type")
    if kind == "message" or (kind is None and "content" in item):
        contents = item.get("content")
        if isinstance(contents, str):
            return (TextPart(contents),)
        return tuple(decode_content_part(part) for part in contents or () if isinstance(part, Mapping))
    if kind == "reasoning":
        return (_reasoning(item),)
    if isinstance(kind, str) and kind in COMPACTION_KINDS:
        return (CompactionPart(None, _text(item, "id") or None, *_state(item)),)
    if isinstance(kind, str) and (decode := _CALLS.get(kind)):
        return (decode(item),)
    return (OpaquePart(NAME, kind if isinstance(kind, str) else "", item),)


def decode_content_part(part: Item) -> Part:
    """A content part of a message: text, a refusal, or something we do not know."""
    kind = part.get("type")
    if kind == "refusal":
        return RefusalPart(_text(part, "refusal"))
    if kind in ("output_text", "text", "input_text"):  # a list, if an upstream sends one, has no hash
        return TextPart(_text(part, "text"), _objects(part, "annotations"), probabilities(_objects(part, "logprobs")))
    return OpaquePart(NAME, kind if isinstance(kind, str) else "", part)


def _reasoning(item: Item) -> ReasoningPart:
    summary = tuple(_text(part, "text") for part in _objects(item, "summary"))
    raw = "".join(_text(part, "text") for part in _objects(item, "content"))
    return ReasoningPart(raw, summary, _text(item, "id") or None, *_state(item))


def _state(item: Item) -> tuple[dict[str, Any], str | None]:
    content = _text(item, "encrypted_content")
    if content.startswith(SEALED):
        return {}, content
    return ({NAME: {"encrypted_content": content}} if content else {}), None


def _call(item: Item) -> ToolCallPart:
    return _called(item, _json_text(item.get("arguments")), ToolKind.FUNCTION)


def _custom_call(item: Item) -> ToolCallPart:
    return _called(item, _text(item, "input"), ToolKind.CUSTOM)


def _called(item: Item, text: str, kind: ToolKind) -> ToolCallPart:
    call_id = _text(item, "call_id") or _text(item, "id")
    return ToolCallPart(
        call_id, _text(item, "name"), text, kind, _text(item, "namespace") or None, _text(item, "id") or None
    )


def _search_call(item: Item) -> Part:
    if item.get("execution") == "server":
        return OpaquePart(NAME, "tool_search_call", item)
    named = {**item, "name": SEARCH_NAME}
    return _called(named, _json_text(item.get("arguments")), ToolKind.SEARCH)


def _shell_call(item: Item) -> Part:
    return _called({**item, "name": SHELL_NAME}, _json_text(item.get("action")), ToolKind.SHELL)


_CALLS: dict[str, Callable[[Item], Part]] = {
    "function_call": _call,
    "custom_tool_call": _custom_call,
    "tool_search_call": _search_call,
    "local_shell_call": _shell_call,
}


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else dump(value)


def _text(item: Item, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _objects(item: Item, name: str) -> tuple[Mapping[str, Any], ...]:
    value = item.get(name)
    return tuple(part for part in value if isinstance(part, Mapping)) if isinstance(value, list) else ()
