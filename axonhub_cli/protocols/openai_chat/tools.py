"""Tools and tool choice as Chat words them.

https://platform.openai.com/docs/api-reference/chat/create (tools, tool_choice); pitfalls 3-5, 19, 21, 103-112.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from axonhub_cli.llm.content import CustomTool, FunctionTool, HostedTool, Tool
from axonhub_cli.llm.request import ChoiceMode, Request, ToolChoice
from axonhub_cli.protocols import schema
from axonhub_cli.protocols.base import JSON, Loss
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.openai_chat.fields import NAME, NO_WORD
from axonhub_cli.protocols.tools import CallableTool, ToolNames, as_function, declared_name, flat_name
from axonhub_cli.vendors import Quirks

_KEPT = 256 * 1024  # bytes of tools that are kept to be met again


def encode_tools(request: Request, quirks: Quirks, losses: Losses) -> list[JSON]:
    """Every tool the model may call now, flat, each name once; none while a summary is written."""
    if request.compaction:
        return []
    declared = tuple(request.declared_tools())
    dialect = _Dialect(quirks.custom_tools, quirks.strict_tools, quirks.hosted_tools)
    tools, lost = _remembered(declared, request.namespaces, dialect)
    for loss in lost:
        losses.add(loss.field, loss.reason)
    return list(tools)


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


class _Dialect(msgspec.Struct, frozen=True):
    """The quirks that tools depend on."""

    custom_tools: bool
    strict_tools: bool
    hosted_tools: tuple[str, ...]


_Declared = tuple[Tool, ...]
_Written = tuple[tuple[JSON, ...], tuple[Loss, ...]]


def _remembered(declared: _Declared, namespaces: Mapping[str, str], dialect: _Dialect) -> _Written:
    """`_written`, or what it gave for the same: an agent sends its tools again with every turn, and they are much of
    what it sends. Nobody changes what is returned; a list too large to keep is written anew."""
    try:
        key = msgspec.json.encode((declared, namespaces))
    except (UnicodeEncodeError, RecursionError):  # a lone surrogate, deep nesting
        return _written(declared, namespaces, dialect)
    return _from_json(key, dialect) if len(key) <= _KEPT else _written(declared, namespaces, dialect)


@lru_cache(maxsize=16)
def _from_json(key: bytes, dialect: _Dialect) -> _Written:
    """`_written` of tools in their JSON, which unlike them can be looked up."""
    declared, namespaces = msgspec.json.decode(key, type=tuple[_Declared, dict[str, str]])
    return _written(declared, namespaces, dialect)


def _written(declared: _Declared, namespaces: Mapping[str, str], dialect: _Dialect) -> _Written:
    """Tools as Chat words them, and what was lost."""
    losses = Losses(NAME, NO_WORD)
    writer = _Writer(namespaces, dialect, losses)
    tools = [writer.tool(name, tool) for name, tool in ToolNames(Request("", tools=declared))]
    for tool in declared:
        if isinstance(tool, HostedTool):
            if tool.protocol == NAME or tool.kind in dialect.hosted_tools:
                tools.append(dict(tool.raw))
            else:
                losses.add(f"tools.{tool.kind}", "this upstream does not run it")
    return tuple(tools), losses.all()


class _Writer:
    """Writes the tools of one request."""

    def __init__(self, namespaces: Mapping[str, str], dialect: _Dialect, losses: Losses) -> None:
        self._namespaces = dict(namespaces)
        self._quirks = dialect
        self._losses = losses

    def tool(self, name: str, tool: CallableTool) -> JSON:
        """One tool under its flat name."""
        for protocol, fields in tool.extras.items():
            if protocol != NAME:
                for field in fields:
                    self._losses.add(f"tools.{field}")
        if isinstance(tool, CustomTool) and self._quirks.custom_tools:
            return _custom(name, tool) | _extras(tool)
        written = self._function(name, as_function(tool, name), declared_name(tool)[0])
        return written | _extras(tool) if isinstance(tool, FunctionTool) else written

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
    return dict(tool.extras.get(NAME, {}))


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
