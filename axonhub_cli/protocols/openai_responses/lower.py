"""Tools of OpenAI's own kinds as plain functions, for Responses servers that know only those (pitfalls 103-109)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from axonhub_cli.llm.content import FunctionTool
from axonhub_cli.protocols import schema
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.tools import CallableTool, as_function
from axonhub_cli.vendors import Quirks

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
    function = as_function(tool, flat_name)
    description = "\n\n".join(filter(None, (about, function.description))) if about else function.description
    parameters = schema.parameters(function.parameters)
    return replace(function, name=flat_name, description=description, parameters=parameters, namespace=None)
