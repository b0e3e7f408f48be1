"""Items of a Responses conversation -> neutral messages, one each (pitfall 22).

https://platform.openai.com/docs/api-reference/responses/create (input), and Codex's
protocol/src/models.rs for the kinds that only Codex sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from axonhub_cli.llm.content import (
    CompactionPart,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.request import Message, Role
from axonhub_cli.protocols.openai_responses import fields
from axonhub_cli.protocols.openai_responses.content import decode_content, decode_output
from axonhub_cli.protocols.openai_responses.fields import NAME, JSONObject
from axonhub_cli.protocols.openai_responses.tools import decode_tools
from axonhub_cli.protocols.tools import SEARCH_NAME, SHELL_NAME

SEALED = "axh1."
ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.DEVELOPER,
}
COMPACTION_KINDS = frozenset({"compaction", "compaction_summary", "context_compaction"})
# Under Message.extras[NAME]: the item as it came; how the names of its parts' fields begin: `content[0].field`.
ITEM, CONTENT = "item", "content["

# Fields that have a place in the message of each of the usual kinds; the rest is kept beside them.
_MESSAGE = frozenset({"type", "id", "role", "content"})
_THOUGHT = frozenset({"type", "id", "summary", "content", "encrypted_content"})
_CALL = frozenset({"type", "id", "call_id", "name", "arguments", "input", "namespace"})
_OUTPUT = frozenset({"type", "id", "call_id", "output", "name"})


def decode_item(item: JSONObject, path: str, namespaces: dict[str, str]) -> Message:
    """One item. Kinds we do not know become an OpaquePart."""
    kind = fields.text(item, "type", path)
    if kind is None or kind == "message":
        if "role" not in item:
            raise fields.missing(f"{path}{'role' if kind else 'type'}")
        return _message(item, path)
    if (decode := _DECODERS.get(kind)) is not None:
        return decode(item, path)
    if kind == "item_reference":
        raise fields.refused(
            f"{path}type", "item_reference points at an item stored elsewhere; send the item itself.", "unknown_item"
        )
    if kind in COMPACTION_KINDS:
        return _compaction(item, kind, path)
    if kind == "additional_tools":
        tools = decode_tools(fields.objects(item, "tools", path), namespaces, f"{path}tools")
        known = frozenset({"type", "id", "role", "tools"})
        return _build(item, Role.DEVELOPER, (ToolsPart(tools),), known, path)
    if kind == "tool_search_output":
        return _search_output(item, namespaces, path)
    return _opaque(item, kind)


def _opaque(item: JSONObject, kind: str) -> Message:
    result = kind.endswith(("_output", "_response"))
    return Message(Role.TOOL if result else Role.ASSISTANT, (OpaquePart(NAME, kind, item),))


def _build(
    item: JSONObject, role: Role, parts: tuple[Part, ...], known: frozenset[str], path: str, *, id: bool = True
) -> Message:
    """A message that keeps what its parts have no place for. A status of `completed` goes without saying."""
    own_id = fields.text(item, "id", path) if id else None
    rest = fields.rest(item, known)
    if rest.get("status") == "completed":
        del rest["status"]
    return Message(role, parts, own_id, None, {NAME: rest}) if rest else Message(role, parts, own_id)


def _message(item: JSONObject, path: str) -> Message:
    role = fields.needed(item, "role", path)
    if role not in ROLES:
        raise fields.unknown(f"{path}role", ROLES, role)
    parts, extras = decode_content(item.get("content"), f"{path}content")
    message = _build(item, ROLES[role], parts, _MESSAGE, path)
    if not extras:
        return message
    merged = {NAME: {**message.extras.get(NAME, {}), **_of_parts(extras)}}
    return Message(message.role, message.parts, message.id, extras=merged)


def _agent_message(item: JSONObject, path: str) -> Message:
    """Codex's word between agents: plain text for everybody else (pitfall 23)."""
    pieces = []
    for index, piece in enumerate(fields.objects(item, "content", path)):
        here = f"{path}content[{index}]."
        # What one vendor encrypts, another one's model wrote in plain words.
        name = "encrypted_content" if piece.get("type") == "encrypted_content" else "text"
        pieces.append(fields.text(piece, name, here) or "")
    author = fields.text(item, "author", path)
    head = f"Message from agent {author}:\n" if author else ""
    part = TextPart(head + "\n".join(pieces))
    return Message(Role.USER, (part,), fields.text(item, "id", path), extras={NAME: {ITEM: item}})


def _reasoning(item: JSONObject, path: str) -> Message:
    summary = tuple(_texts(item, "summary", path))
    opaque, sealed = _native(item, path)
    part = ReasoningPart("".join(_texts(item, "content", path)), summary, fields.text(item, "id", path), opaque, sealed)
    return _build(item, Role.ASSISTANT, (part,), _THOUGHT, path, id=False)


def _texts(item: JSONObject, name: str, path: str) -> list[str]:
    found = fields.objects(item, name, path)
    return [fields.text(part, "text", f"{path}{name}[{index}].") or "" for index, part in enumerate(found)]


def _of_parts(extras: dict[str, Any]) -> dict[str, Any]:
    return {f"{CONTENT}{place}].{name}": value for place, found in extras.items() for name, value in found.items()}


def _native(item: JSONObject, path: str) -> tuple[dict[str, Any], str | None]:
    """The opaque state of an item: the vendor's own, or ours sealed."""
    content = fields.text(item, "encrypted_content", path)
    if content is None:
        return {}, None
    return ({}, content) if content.startswith(SEALED) else ({NAME: {"encrypted_content": content}}, None)


def _compaction(item: JSONObject, kind: str, path: str) -> Message:
    opaque, sealed = _native(item, path)
    if not opaque and sealed is None:
        return _opaque(item, kind)
    part = CompactionPart(None, fields.text(item, "id", path), opaque, sealed)
    known = frozenset({"id", "encrypted_content"} | ({"type"} if kind == "compaction" else set()))
    return _build(item, Role.USER, (part,), known, path, id=False)


def _call(item: JSONObject, path: str) -> Message:
    arguments = item.get("arguments")
    text = fields.dump(arguments) if isinstance(arguments, dict) else fields.text(item, "arguments", path)
    return _called(item, text or "{}", ToolKind.FUNCTION, path)


def _custom_call(item: JSONObject, path: str) -> Message:
    return _called(item, fields.needed(item, "input", path), ToolKind.CUSTOM, path)


def _called(item: JSONObject, text: str, kind: ToolKind, path: str) -> Message:
    part = ToolCallPart(
        fields.needed(item, "call_id", path),
        fields.needed(item, "name", path),
        text,
        kind,
        fields.text(item, "namespace", path),
        fields.text(item, "id", path),
    )
    return _build(item, Role.ASSISTANT, (part,), _CALL, path, id=False)


def _search_call(item: JSONObject, path: str) -> Message:
    call_id = fields.text(item, "call_id", path)
    if call_id is None or item.get("execution", "client") != "client":
        return _opaque(item, "tool_search_call")  # the vendor ran it
    arguments = item.get("arguments")
    text = arguments if isinstance(arguments, str) else fields.dump({} if arguments is None else arguments)
    part = ToolCallPart(call_id, SEARCH_NAME, text, ToolKind.SEARCH, None, fields.text(item, "id", path))
    known = frozenset({"type", "id", "call_id", "arguments", "execution"})
    return _build(item, Role.ASSISTANT, (part,), known, path, id=False)


def _shell_call(item: JSONObject, path: str) -> Message:
    action = fields.table(item, "action", path)
    if action is None:
        raise fields.missing(f"{path}action")
    call_id = fields.text(item, "call_id", path) or fields.needed(item, "id", path)
    part = ToolCallPart(call_id, SHELL_NAME, fields.dump(action), ToolKind.SHELL, None, fields.text(item, "id", path))
    return _build(item, Role.ASSISTANT, (part,), frozenset({"type", "id", "call_id", "action"}), path, id=False)


def _output(kind: ToolKind) -> Callable[[JSONObject, str], Message]:
    def decode(item: JSONObject, path: str) -> Message:
        call_id = fields.text(item, "call_id", path)
        own_id = True
        if call_id is None and kind is ToolKind.SHELL:
            call_id, own_id = fields.text(item, "id", path), False  # the API knows it by the call's id alone
        if call_id is None:
            raise fields.missing(f"{path}call_id")
        if "output" not in item:
            raise fields.missing(f"{path}output")
        content, extras = decode_output(item["output"], f"{path}output")
        part = ToolResultPart(call_id, content, kind, fields.text(item, "name", path))
        message = _build(item, Role.TOOL, (part,), _OUTPUT, path, id=own_id)
        if not extras:
            return message
        merged = {NAME: {**message.extras.get(NAME, {}), **_of_parts(extras)}}
        return Message(message.role, message.parts, message.id, extras=merged)

    return decode


def _search_output(item: JSONObject, namespaces: dict[str, str], path: str) -> Message:
    call_id = fields.text(item, "call_id", path)
    if call_id is None or item.get("execution", "client") != "client":
        return _opaque(item, "tool_search_output")
    tools = decode_tools(fields.objects(item, "tools", path), namespaces, f"{path}tools")
    part = ToolResultPart(call_id, kind=ToolKind.SEARCH, tools=tools)
    return _build(item, Role.TOOL, (part,), frozenset({"type", "id", "call_id", "execution", "tools"}), path)


_DECODERS: dict[str, Callable[[JSONObject, str], Message]] = {
    "agent_message": _agent_message,
    "reasoning": _reasoning,
    "function_call": _call,
    "custom_tool_call": _custom_call,
    "tool_search_call": _search_call,
    "local_shell_call": _shell_call,
    "function_call_output": _output(ToolKind.FUNCTION),
    "custom_tool_call_output": _output(ToolKind.CUSTOM),
    "local_shell_call_output": _output(ToolKind.SHELL),
}
