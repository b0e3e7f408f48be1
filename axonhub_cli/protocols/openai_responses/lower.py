"""Tools of OpenAI's own kinds as plain functions, for Responses servers that know only those (pitfalls 103-109)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from axonhub_cli.llm.content import CustomTool, FunctionTool, SearchTool
from axonhub_cli.protocols import schema
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.patch import lower_custom
from axonhub_cli.protocols.tools import CallableTool
from axonhub_cli.vendors import Quirks

_SHELL = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments."},
        "workdir": {"type": "string", "description": "Where to run it."},
        "timeout_ms": {"type": "integer", "description": "Milliseconds after which it is stopped."},
    },
    "required": ["command"],
}
_SEARCH = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What the tool should be able to do."}},
    "required": ["query"],
}


# What every server that speaks Responses takes in a conversation; the rest is OpenAI's own (pitfalls 22, 104).
_PLAIN_ITEMS = frozenset({None, "message", "function_call", "function_call_output"})


def is_plain(payload: JSON, quirks: Quirks) -> bool:
    """Whether a request holds nothing that only OpenAI itself understands."""
    return all(_is_plain_tool(tool, quirks) for tool in _objects(payload.get("tools"))) and all(
        item.get("type") in _PLAIN_ITEMS and not item.get("namespace") for item in _objects(payload.get("input"))
    )


def _is_plain_tool(tool: JSON, quirks: Quirks) -> bool:
    kind = tool.get("type")
    return kind == "function" or kind in quirks.hosted_tools or "*" in quirks.hosted_tools


def _objects(value: Any) -> list[JSON]:
    """What is malformed is left for the upstream to refuse."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def lower_tool(tool: CallableTool, flat_name: str, about: str | None = None) -> FunctionTool:
    """The tool as a function under its flat name; `about` describes the namespace it leaves."""
    function = _lower(tool, flat_name)
    if not about:
        return function
    return replace(function, description="\n\n".join(filter(None, (about, function.description))))


def _lower(tool: CallableTool, flat_name: str) -> FunctionTool:
    match tool:
        case FunctionTool():
            parameters = schema.parameters(tool.parameters)
            return replace(tool, name=flat_name, parameters=parameters, namespace=None)
        case CustomTool():
            return lower_custom(tool, flat_name)
        case SearchTool():
            description = tool.description or "Finds tools that are not listed."
            return FunctionTool(flat_name, description, schema.parameters(tool.parameters or _SEARCH))
        case _:
            return FunctionTool(flat_name, "Runs a command on the user's machine.", _SHELL)
