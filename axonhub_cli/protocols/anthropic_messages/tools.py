"""Tools and tool choice as Anthropic words them.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools; pitfalls 3-5, 19, 21, 73, 74, 103-112.
"""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.llm.content import FunctionTool, HostedTool, ToolCallPart
from axonhub_cli.llm.request import ChoiceMode, Request, ToolChoice
from axonhub_cli.protocols import schema
from axonhub_cli.protocols.anthropic_messages.fields import NAME
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.tools import CallableTool, ToolNames, as_function, call_name, declared_name, flat_name
from axonhub_cli.vendors import Quirks

WEB_SEARCH = "web_search_20250305"


def encode_tools(request: Request, quirks: Quirks, losses: Losses) -> list[JSON]:
    """Every tool the model may call now, flat, each name once. Tools that the history calls and nobody declares are
    declared bare: a conversation with calls in it is refused without (pitfall 105)."""
    writer = _Writer(request, quirks, losses)
    tools = writer.functions()
    for tool in request.declared_tools():
        if isinstance(tool, HostedTool) and (written := _hosted(tool, quirks, losses)) is not None:
            tools.append(written)
    if NAME in request.extras:
        return _in_order(request, tools)
    if not tools:
        called = [part for message in request.messages for part in message.parts if isinstance(part, ToolCallPart)]
        names = dict.fromkeys(call_name(part) for part in called)
        tools = [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in names]
    return tools


def encode_choice(request: Request, tools: list[JSON], losses: Losses) -> JSON | None:
    """`tool_choice`, which also says whether calls may be parallel; None without tools (pitfall 3)."""
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    declared = next(request.declared_tools(), None) is not None
    if not tools or not declared or request.compaction:
        given = {"tool_choice": choice, "parallel_tool_calls": parallel}
        for field, value in given.items():
            if value is not None:
                losses.add(field, "a summary is wanted, no call" if request.compaction else "no tools are left")
        return {"type": "none"} if tools else None
    if choice is None and parallel is None:
        return None
    written = _choice(choice or ToolChoice(ChoiceMode.AUTO), losses)
    if parallel is not None and written["type"] == "none":
        losses.add("parallel_tool_calls", "no tool may be called")
    elif parallel is not None:
        written["disable_parallel_tool_use"] = not parallel
    return written


def _choice(choice: ToolChoice, losses: Losses) -> JSON:
    match choice.mode:
        case ChoiceMode.AUTO | ChoiceMode.NONE:
            return {"type": choice.mode.value}
        case ChoiceMode.TOOL if choice.names:
            return {"type": "tool", "name": flat_name(*choice.names[0])}
        case ChoiceMode.REQUIRED | ChoiceMode.TOOL:
            return {"type": "any"}
        case ChoiceMode.ALLOWED:
            mode = "any" if choice.required else "auto"
            losses.add("tool_choice.tools", f"Anthropic cannot choose among several tools; {mode!r} was sent")
            losses.add("tool_choice.allowed_tools", f"Anthropic cannot choose among several tools; {mode!r} was sent")
            return {"type": mode}


class _Writer:
    """Writes the tools of one request."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        self._request = request
        self._own = request.extras.get(NAME)
        self._namespaces = dict(request.namespaces)
        self._quirks = quirks
        self._losses = losses

    def functions(self) -> list[JSON]:
        """The callable ones, in the order of declaration."""
        return [self._tool(name, tool) for name, tool in ToolNames(self._request)]

    def _tool(self, name: str, tool: CallableTool) -> JSON:
        self._losses.foreign(tool.extras, "tools.")
        return self._function(name, as_function(tool, name), declared_name(tool)[0])

    def _function(self, name: str, tool: FunctionTool, space: str | None) -> JSON:
        written: JSON = {"name": name}
        # What is known of a namespace stands at its first tool.
        about = self._namespaces.pop(space, None) if space else None
        description = "\n\n".join(filter(None, (about, tool.description))) if about else tool.description
        if description:
            written["description"] = description
        native = self._own is not None and tool.parameters is not None
        written["input_schema"] = dict(tool.parameters or {}) if native else schema.parameters(tool.parameters)
        if tool.strict is not None and self._quirks.strict_tools:
            written["strict"] = tool.strict
        elif tool.strict:
            self._losses.add(f"tools.{name}.strict", "this upstream does not take it")
        return written


def _in_order(request: Request, tools: list[JSON]) -> list[JSON]:
    """An Anthropic client's tools in its own order, with the fields that only Anthropic knows."""
    by_name = {tool.get("name"): tool for tool in tools if "input_schema" in tool}
    own = request.extras[NAME]
    ordered: list[JSON] = []
    for at, tool in enumerate(request.tools):
        if isinstance(tool, HostedTool):
            ordered += [item for item in tools if item == tool.raw][:1]
        elif isinstance(tool, FunctionTool) and (written := by_name.pop(flat_name(None, tool.name), None)):
            path = f"tools[{at}]."
            ordered.append(written | {key[len(path) :]: value for key, value in own.items() if key.startswith(path)})
    return ordered


def _hosted(tool: HostedTool, quirks: Quirks, losses: Losses) -> JSON | None:
    """A tool that the vendor runs (pitfalls 110, 111). OpenAI's web search has its like here."""
    if tool.protocol == NAME:
        return dict(tool.raw)
    if tool.kind.startswith("web_search") and "web_search" in quirks.hosted_tools:
        for field, value in tool.raw.items():
            if field in {"type", "filters"}:
                continue
            for place in [f"[{at}]" for at in range(len(value))] if isinstance(value, list) else [""]:
                losses.add(f"tools.{tool.kind}.{field}{place}")
        written: JSON = {"type": WEB_SEARCH, "name": "web_search"}
        filters = tool.raw.get("filters")
        if isinstance(filters, Mapping):
            for field in filters:
                if field != "allowed_domains":
                    losses.add(f"tools.{tool.kind}.filters.{field}")
            if isinstance(filters.get("allowed_domains"), list):
                written["allowed_domains"] = filters["allowed_domains"]
        return written
    losses.add(f"tools.{tool.kind}", "this upstream does not run it")
    return None
