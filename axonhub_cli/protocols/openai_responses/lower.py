"""Tools of OpenAI's own kinds as plain functions, for Responses servers that know only those (pitfalls 103-109)."""

from __future__ import annotations

from msgspec.structs import replace

from axonhub_cli.llm.content import CustomTool, FunctionTool, SearchTool
from axonhub_cli.protocols import schema
from axonhub_cli.protocols.patch import lower_custom
from axonhub_cli.protocols.tools import CallableTool

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
