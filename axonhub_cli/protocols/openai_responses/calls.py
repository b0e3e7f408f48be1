"""Tool calls and their outputs in a conversation -> input items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import CustomTool, FunctionTool, Part, TextPart, ToolCallPart, ToolKind, ToolResultPart
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_responses.content import encode_output
from axonhub_cli.protocols.openai_responses.tools import encode_tools
from axonhub_cli.protocols.patch import wrap_input
from axonhub_cli.protocols.tools import flat_name

_OUTPUTS = {
    ToolKind.FUNCTION: "function_call_output",
    ToolKind.CUSTOM: "custom_tool_call_output",
    ToolKind.SHELL: "function_call_output",
}


def call_item(part: ToolCallPart, *, native: bool) -> JSON:
    """A call; on servers that know plain functions only, a function call under the flat name."""
    if not native:
        name = flat_name(part.namespace, part.name)
        text = wrap_input(part.input) if part.kind is ToolKind.CUSTOM else part.input
        return {"type": "function_call", "call_id": part.call_id, "name": name, "arguments": _arguments(text)}
    match part.kind:
        case ToolKind.FUNCTION:
            item = {"type": "function_call", "call_id": part.call_id, "name": part.name}
            item["arguments"] = _arguments(part.input)
        case ToolKind.CUSTOM:
            item = {"type": "custom_tool_call", "call_id": part.call_id, "name": part.name, "input": part.input}
        case ToolKind.SEARCH:
            arguments = _value(part.input)
            return {"type": "tool_search_call", "call_id": part.call_id, "execution": "client", "arguments": arguments}
        case ToolKind.SHELL:
            return {"type": "local_shell_call", "call_id": part.call_id, "action": _value(part.input)}
    return item | ({"namespace": part.namespace} if part.namespace else {})


def _arguments(text: str) -> str:
    return text if text.strip() else "{}"  # pitfall 6


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError):
        return {}


def output_item(
    part: ToolResultPart, content: tuple[Part, ...], namespaces: Mapping[str, str], *, native: bool
) -> JSON:
    """What a tool returned; `content` is what of it the vendor takes."""
    if part.kind is ToolKind.SEARCH and native:
        tools = encode_tools(part.tools, namespaces)
        return {"type": "tool_search_output", "call_id": part.call_id, "execution": "client", "tools": tools}
    if part.kind is ToolKind.SEARCH:
        content = (*content, TextPart(_found(part)))
    kind = _OUTPUTS.get(part.kind, "function_call_output") if native else "function_call_output"
    if native and part.kind is ToolKind.SHELL:
        kind = "local_shell_call_output"
    item: JSON = {"type": kind, "call_id": part.call_id, "output": encode_output(content)}
    return item | ({"name": part.name} if part.name and native else {})


def _found(part: ToolResultPart) -> str:
    """The result of a search in words; the tools themselves join the list (pitfall 108)."""
    names = [
        flat_name(tool.namespace, tool.name) for tool in part.tools if isinstance(tool, (FunctionTool, CustomTool))
    ]
    return f"Found, and callable from now on: {', '.join(names)}" if names else "No tools were found."
