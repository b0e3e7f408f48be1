"""Tools and tool choice as Converse words them.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html; pitfalls 3-5, 19, 103-112.
"""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.llm.content import FunctionTool, HostedTool, ToolCallPart
from axonhub_cli.llm.request import ChoiceMode, Request, ToolChoice
from axonhub_cli.protocols import schema
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.tools import CallableTool, ToolNames, as_function, call_name, declared_name, flat_name
from axonhub_cli.vendors import Quirks


def encode_tools(request: Request, quirks: Quirks, losses: Losses) -> JSON | None:
    """`toolConfig`; None without tools. Tools that the history calls and nobody may call now are declared bare: a
    conversation with calls in it is refused without (pitfall 105)."""
    writer = _Writer(request, quirks, losses)
    tools = [writer.tool(name, tool) for name, tool in ToolNames(request)]
    for tool in request.declared_tools():
        if isinstance(tool, HostedTool):
            losses.add(f"tools.{tool.kind}", "this upstream does not run it")
            for field, value in tool.raw.items():
                for place in [f"[{at}]" for at in range(len(value))] if isinstance(value, list) else [""]:
                    losses.add(f"tools.{tool.kind}.{field}{place}", "this upstream does not run it")
    declared = bool(tools)
    if not declared:
        called = [part for message in request.messages for part in message.parts if isinstance(part, ToolCallPart)]
        bare = {"json": {"type": "object", "properties": {}}}
        names = dict.fromkeys(map(call_name, called))
        tools = [{"toolSpec": {"name": name, "inputSchema": bare}} for name in names]
    if request.parallel_tool_calls is not None:
        losses.add("parallel_tool_calls")
    if request.tool_choice is not None and not declared:
        losses.add("tool_choice", "no tools are left")
    choice = _choice(request.tool_choice, request, quirks, losses) if request.tool_choice and declared else None
    if not tools:
        return None
    return {"tools": tools, "toolChoice": choice} if choice else {"tools": tools}


def _choice(choice: ToolChoice, request: Request, quirks: Quirks, losses: Losses) -> JSON | None:
    """None where the wire has no word for it."""
    forced = choice.mode in (ChoiceMode.REQUIRED, ChoiceMode.TOOL) or choice.required
    if choice.mode is ChoiceMode.NONE or request.compaction:
        losses.add("tool_choice", "Converse cannot forbid calls")
        return None
    if choice.mode is ChoiceMode.ALLOWED:
        for field in ("tool_choice.tools", "tool_choice.allowed_tools"):
            losses.add(field, "Converse cannot choose among several tools")
    if forced and not quirks.forced_tool_choice:
        losses.add("tool_choice", "this upstream takes no forced choice; auto was sent")
        forced = False
    if not forced:
        return {"auto": {}}
    if choice.mode is ChoiceMode.TOOL and choice.names:
        return {"tool": {"name": flat_name(*choice.names[0])}}
    return {"any": {}}


class _Writer:
    """Writes the tools of one request."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        self._namespaces = dict(request.namespaces)
        self._strict = quirks.strict_tools
        self._losses = losses

    def tool(self, name: str, tool: CallableTool) -> JSON:
        """One tool under its flat name."""
        self._losses.foreign({key: value for key, value in tool.extras.items() if isinstance(value, Mapping)}, "tools.")
        for field, value in tool.extras.items():
            if not isinstance(value, Mapping):
                self._losses.add(f"tools.{name}.{field}")
        return self._function(name, as_function(tool, name), declared_name(tool)[0])

    def _function(self, name: str, tool: FunctionTool, space: str | None) -> JSON:
        written: JSON = {"name": name}
        # What is known of a namespace stands at its first tool.
        about = self._namespaces.pop(space, None) if space else None
        if description := "\n\n".join(filter(None, (about, tool.description))):
            written["description"] = description
        written["inputSchema"] = {"json": schema.parameters(tool.parameters)}
        if tool.strict and self._strict:
            written["strict"] = True
        elif tool.strict is not None:
            self._losses.add(f"tools.{name}.strict", "this upstream does not take it")
        return {"toolSpec": written}
