"""Tools, namespaces and tool_choice of a Responses request, both ways.

https://platform.openai.com/docs/api-reference/responses/create (tools, tool_choice)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from axonhub_cli.llm.content import CustomTool, FunctionTool, HostedTool, SearchTool, ShellTool, Tool, ToolKind
from axonhub_cli.llm.request import ChoiceMode, ToolChoice
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_responses import fields
from axonhub_cli.protocols.openai_responses.fields import NAME, JSONObject
from axonhub_cli.protocols.tools import SEARCH_NAME, SHELL_NAME

_FUNCTION = frozenset({"type", "name", "description", "parameters", "strict", "function"})
_CUSTOM = frozenset({"type", "name", "description", "format", "custom"})
_SEARCH = frozenset({"type", "description", "parameters", "execution"})
_MODES = {
    "auto": ChoiceMode.AUTO,
    "none": ChoiceMode.NONE,
    "required": ChoiceMode.REQUIRED,
    "any": ChoiceMode.REQUIRED,  # Anthropic's word, seen in the wild (pitfall 74)
}
_CALLABLE = {"function": None, "custom": None, "tool_search": SEARCH_NAME, "local_shell": SHELL_NAME}


def decode_tools(items: Iterable[JSONObject], namespaces: dict[str, str], path: str) -> tuple[Tool, ...]:
    """The tools of one list, namespaces opened. Adds descriptions to `namespaces`, where the first one stands.
    A function without a name cannot be called and is left out (pitfall 26)."""
    tools: list[Tool] = []
    for index, item in enumerate(items):
        here = f"{path}[{index}]."
        kind = fields.needed(item, "type", here)
        if kind == "namespace":
            name = fields.needed(item, "name", here)
            namespaces.setdefault(name, fields.text(item, "description", here) or "")
            for number, child in enumerate(fields.objects(item, "tools", here)):
                tool = _tool(child, name, f"{here}tools[{number}].")
                tools += [tool] if tool else []
        elif tool := _tool(item, None, here):
            tools.append(tool)
    return tuple(tools)


def _tool(item: JSONObject, namespace: str | None, path: str) -> Tool | None:
    match fields.needed(item, "type", path):
        case "function":
            return _function(item, namespace, path)
        case "custom":
            return _custom(item, namespace, path)
        case "tool_search" if item.get("execution") == "client":
            return SearchTool(
                fields.text(item, "description", path),
                fields.table(item, "parameters", path),
                _extras(item, _SEARCH),
            )
        case "local_shell":
            return ShellTool(_extras(item, frozenset({"type"})))
        case kind:
            return HostedTool(NAME, kind, item)


def _function(item: JSONObject, namespace: str | None, path: str) -> FunctionTool | None:
    inner = {**item, **(fields.table(item, "function", path) or {})}  # pitfall 26: shaped as in Chat Completions
    if not (name := fields.text(inner, "name", path)):
        return None
    return FunctionTool(
        name,
        fields.text(inner, "description", path),
        fields.table(inner, "parameters", path),
        fields.flag(inner, "strict", path),
        namespace,
        _extras(inner, _FUNCTION),
    )


def _custom(item: JSONObject, namespace: str | None, path: str) -> CustomTool | None:
    inner = {**item, **(fields.table(item, "custom", path) or {})}
    if not (name := fields.text(inner, "name", path)):
        return None
    form = fields.table(inner, "format", path)
    if form and isinstance(grammar := form.get("grammar"), dict):
        form = {"type": "grammar", **grammar}
    return CustomTool(name, fields.text(inner, "description", path), form, namespace, _extras(inner, _CUSTOM))


def _extras(item: JSONObject, known: frozenset[str]) -> dict[str, Any]:
    rest = fields.rest(item, known)
    return {NAME: rest} if rest else {}


def _own(tool: FunctionTool | CustomTool | SearchTool | ShellTool) -> JSON:
    return dict(tool.extras.get(NAME, {}))


def encode_tools(tools: Iterable[Tool], namespaces: Mapping[str, str]) -> list[JSON]:
    """Tools as OpenAI itself words them; neighbours of one namespace share its entry."""
    items: list[JSON] = []
    for tool in tools:
        item = encode_tool(tool)
        namespace = tool.namespace if isinstance(tool, (FunctionTool, CustomTool)) else None
        if namespace is None:
            items.append(item)
        elif items and items[-1]["type"] == "namespace" and items[-1]["name"] == namespace:
            items[-1]["tools"].append(item)
        else:
            description = namespaces.get(namespace, "")
            items.append({"type": "namespace", "name": namespace, "description": description, "tools": [item]})
    return items


def encode_tool(tool: Tool) -> JSON:
    """One tool, without its namespace."""
    match tool:
        case FunctionTool():
            item: JSON = {"type": "function", "name": tool.name}
            item |= _given(description=tool.description, strict=tool.strict, parameters=tool.parameters)
            return item | _own(tool)
        case CustomTool():
            item = {"type": "custom", "name": tool.name}
            return item | _given(description=tool.description, format=tool.format) | _own(tool)
        case SearchTool():
            item = {"type": "tool_search", "execution": "client"}
            return item | _given(description=tool.description, parameters=tool.parameters) | _own(tool)
        case ShellTool():
            return {"type": "local_shell", **_own(tool)}
        case HostedTool():
            return dict(tool.raw)


def _given(**values: Any) -> JSON:
    return {name: value for name, value in values.items() if value is not None}


def decode_choice(value: Any, path: str = "tool_choice") -> tuple[ToolChoice | None, Any]:
    """The choice, and what only this protocol can say of it (a hosted tool), else None."""
    if value is None:
        return None, None
    if isinstance(value, str):
        if value not in _MODES:
            raise fields.unknown(path, _MODES, value)
        return ToolChoice(_MODES[value]), None
    if not isinstance(value, dict):
        raise fields.wrong(path, "a string or an object", value)
    kind = fields.text(value, "type", f"{path}.") or ""
    if kind == "allowed_tools":
        return _allowed(value, path)
    if kind in _MODES:
        return ToolChoice(_MODES[kind]), None
    name = _chosen(value, path)
    return (ToolChoice(ChoiceMode.TOOL, (name,)), None) if name else (None, value)


def _allowed(value: JSONObject, path: str) -> tuple[ToolChoice, Any]:
    inner = {**value, **(fields.table(value, "allowed_tools", f"{path}.") or {})}
    mode = fields.text(inner, "mode", f"{path}.") or "auto"
    names = [_chosen(item, f"{path}.tools") for item in fields.objects(inner, "tools", f"{path}.")]
    choice = ToolChoice(ChoiceMode.ALLOWED, tuple(name for name in names if name), mode == "required")
    return choice, None if all(names) else value


def _chosen(value: JSONObject, path: str) -> tuple[str | None, str] | None:
    """Namespace and name of a callable tool; None for one the vendor runs."""
    kind = fields.text(value, "type", f"{path}.")
    if kind not in _CALLABLE:
        return None
    inner = {**value, **(fields.table(value, kind, f"{path}.") or {})}
    name = _CALLABLE[kind] or fields.needed(inner, "name", f"{path}.")
    return fields.text(inner, "namespace", f"{path}."), name


def encode_choice(choice: ToolChoice, kinds: Mapping[tuple[str | None, str], ToolKind]) -> Any:
    """The choice in this protocol's words; `kinds` says of what kind each declared tool is."""
    match choice.mode:
        case ChoiceMode.AUTO | ChoiceMode.NONE | ChoiceMode.REQUIRED:
            return choice.mode.value
        case ChoiceMode.TOOL if choice.names:
            return _choice(choice.names[0], kinds)
        case ChoiceMode.TOOL:
            return "required"
        case ChoiceMode.ALLOWED:
            tools = [_choice(name, kinds) for name in choice.names]
            return {"type": "allowed_tools", "mode": "required" if choice.required else "auto", "tools": tools}


def _choice(full_name: tuple[str | None, str], kinds: Mapping[tuple[str | None, str], ToolKind]) -> JSON:
    namespace, name = full_name
    kind = kinds.get(full_name, ToolKind.FUNCTION)
    if kind in {ToolKind.SEARCH, ToolKind.SHELL}:
        return {"type": kind.value}
    return {"type": kind.value, "name": name} | _given(namespace=namespace)


def kind_of(tool: Tool) -> ToolKind:
    """How a declared tool takes its input."""
    match tool:
        case CustomTool():
            return ToolKind.CUSTOM
        case SearchTool():
            return ToolKind.SEARCH
        case ShellTool():
            return ToolKind.SHELL
        case _:
            return ToolKind.FUNCTION
