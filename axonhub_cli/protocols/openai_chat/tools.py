"""Tools and tool choice as Chat words them.

https://platform.openai.com/docs/api-reference/chat/create (tools, tool_choice); pitfalls 3-5, 19, 21, 103-112.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.content import CustomTool, FunctionTool, HostedTool, SearchTool, ShellTool
from axonhub_cli.llm.request import ChoiceMode, Request, ToolChoice
from axonhub_cli.protocols import schema
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_chat.losses import Losses
from axonhub_cli.protocols.patch import lower_custom
from axonhub_cli.protocols.tools import CallableTool, ToolNames, flat_name
from axonhub_cli.vendors import Quirks

NAME = "openai_chat"
_SHELL: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments."},
        "workdir": {"type": "string", "description": "The directory to run it in."},
        "timeout_ms": {"type": "integer", "description": "The time it may take, in milliseconds."},
    },
    "required": ["command"],
}


def encode_tools(request: Request, quirks: Quirks, losses: Losses) -> list[JSON]:
    """Every tool the model may call now, flat, each name once; none while a summary is written."""
    if request.compaction:
        return []
    writer = _Writer(request, quirks, losses)
    tools = [writer.tool(name, tool) for name, tool in ToolNames(request)]
    for tool in request.declared_tools():
        if isinstance(tool, HostedTool):
            if tool.protocol == NAME or tool.kind in quirks.hosted_tools:
                tools.append(dict(tool.raw))
            else:
                losses.add(f"tools.{tool.kind}", "this upstream does not run it")
    return tools


def encode_choice(request: Request, tools: list[JSON], quirks: Quirks, losses: Losses) -> JSON:
    """`tool_choice` and `parallel_tool_calls`, which no upstream takes without tools (pitfall 3)."""
    fields: JSON = {}
    if not tools:
        if request.tool_choice is not None:
            losses.add("tool_choice", "no tools are left")
        if request.parallel_tool_calls is not None:
            losses.add("parallel_tool_calls", "no tools are left")
        return fields
    if request.tool_choice is not None:
        fields["tool_choice"] = _choice(request.tool_choice, request, quirks, losses)
    if request.parallel_tool_calls is not None:
        if quirks.parallel_tool_calls:
            fields["parallel_tool_calls"] = request.parallel_tool_calls
        else:
            losses.add("parallel_tool_calls", "this upstream does not take it")
    return fields


class _Writer:
    """Writes the tools of one request."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        self._namespaces = dict(request.namespaces)
        self._quirks = quirks
        self._losses = losses

    def tool(self, name: str, tool: CallableTool) -> JSON:
        """One tool under its flat name."""
        match tool:
            case FunctionTool():
                return self._function(name, tool, tool.namespace) | _extras(tool)
            case CustomTool() if self._quirks.custom_tools:
                return _custom(name, tool) | _extras(tool)
            case CustomTool():
                return self._function(name, lower_custom(tool, name), tool.namespace)
            case SearchTool():
                return self._function(name, FunctionTool(name, tool.description, tool.parameters), None)
            case ShellTool():
                return self._function(name, FunctionTool(name, "Runs a command on the user's machine.", _SHELL), None)

    def _function(self, name: str, tool: FunctionTool, space: str | None) -> JSON:
        written: JSON = {"name": name}
        # What is known of a namespace stands at its first tool.
        about = self._namespaces.pop(space, None) if space else None
        description = "\n\n".join(filter(None, (about, tool.description))) if about else tool.description
        if description is not None:
            written["description"] = description
        written["parameters"] = schema.parameters(tool.parameters)
        if tool.strict is not None and self._quirks.strict_tools:
            written["strict"] = tool.strict
        elif tool.strict:
            self._losses.add("tools.strict", "this upstream does not take it")
        return {"type": "function", "function": written}


def _custom(name: str, tool: CustomTool) -> JSON:
    written: JSON = {"name": name}
    if tool.description is not None:
        written["description"] = tool.description
    if tool.format is not None:
        written["format"] = nested_format(tool.format)
    return {"type": "custom", "custom": written}


def nested_format(flat: Mapping[str, Any]) -> JSON:
    """Chat keeps a grammar one level deeper than Responses does."""
    if flat.get("type") != "grammar":
        return dict(flat)
    return {"type": "grammar", "grammar": {key: value for key, value in flat.items() if key != "type"}}


def flat_format(nested: Mapping[str, Any]) -> JSON:
    """The reverse of `nested_format`."""
    grammar = nested.get("grammar")
    return {"type": "grammar", **grammar} if isinstance(grammar, Mapping) else dict(nested)


def _extras(tool: CallableTool) -> JSON:
    own = tool.extras.get(NAME)
    return dict(own) if isinstance(own, Mapping) else {}


def _choice(choice: ToolChoice, request: Request, quirks: Quirks, losses: Losses) -> Any:
    match choice.mode:
        case ChoiceMode.AUTO | ChoiceMode.NONE:
            return choice.mode.value
        case _ if not quirks.forced_tool_choice:
            losses.add("tool_choice", f"this upstream knows auto and none; {choice.mode.value!r} was sent as auto")
            return "auto"
        case ChoiceMode.REQUIRED:
            return "required"
        case ChoiceMode.TOOL:
            return _named(*choice.names[0], request, quirks) if choice.names else "required"
        case ChoiceMode.ALLOWED:
            mode = "required" if choice.required else "auto"
            if quirks.fields:
                losses.add("tool_choice.allowed_tools", f"only OpenAI knows it; {mode!r} was sent")
                return mode
            named = [_named(space, name, request, quirks) for space, name in choice.names]
            return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}


def _named(space: str | None, name: str, request: Request, quirks: Quirks) -> JSON:
    flat = flat_name(space, name)
    custom = quirks.custom_tools and isinstance(ToolNames(request).find(name, space), CustomTool)
    kind = "custom" if custom else "function"
    return {"type": kind, kind: {"name": flat}}
