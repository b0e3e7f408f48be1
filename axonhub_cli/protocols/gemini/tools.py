"""Tools and tool choice as Gemini words them.

https://ai.google.dev/api/caching#Tool; pitfalls 3-5, 19, 21, 92, 96, 103-112.
"""

from __future__ import annotations

import msgspec

from axonhub_cli.llm.content import FunctionTool, HostedTool
from axonhub_cli.llm.request import ChoiceMode, Request, ToolChoice
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini.schemas import NO_ITEMS, reduce
from axonhub_cli.protocols.gemini.signatures import NAME
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.tools import CallableTool, ToolNames, as_function, declared_name, flat_name
from axonhub_cli.vendors import Quirks

_HOSTED = {  # other protocols' kinds of tools that Google runs under a name of its own
    "web_search": "googleSearch",
    "web_search_preview": "googleSearch",
    "web_search_20250305": "googleSearch",
    "code_interpreter": "codeExecution",
    "code_execution": "codeExecution",
    "web_fetch": "urlContext",
}


def encode_tools(request: Request, quirks: Quirks, losses: Losses) -> list[JSON]:
    """Every tool the model may call now: one entry with all functions, each name once, then the hosted ones; none while
    a summary is written."""
    if request.compaction:
        return []
    writer = _Writer(request, losses)
    functions = [writer.function(name, tool) for name, tool in ToolNames(request)]
    tools: list[JSON] = [{"functionDeclarations": functions}] if functions else []
    hosted = [tool for tool in request.declared_tools() if isinstance(tool, HostedTool)]
    written = [_hosted(tool, bool(functions), quirks, losses) for tool in hosted]
    writer.told()
    return tools + [tool for tool in written if tool is not None]


def encode_choice(request: Request, tools: list[JSON], quirks: Quirks, losses: Losses) -> JSON:
    """`functionCallingConfig`; nothing without functions (pitfall 3)."""
    choice = request.tool_choice
    if choice is None:
        return {}
    if not any("functionDeclarations" in tool for tool in tools):
        losses.add("tool_choice", "no functions are left")
        return {}
    if not quirks.forced_tool_choice and choice.mode not in (ChoiceMode.AUTO, ChoiceMode.NONE):
        losses.add("tool_choice", f"this upstream knows auto and none; {choice.mode.value!r} was sent as auto")
        return {"mode": "AUTO"}
    return _choice(choice, request)


def _choice(choice: ToolChoice, request: Request) -> JSON:
    match choice.mode:
        case ChoiceMode.AUTO:
            return {"mode": "AUTO"}
        case ChoiceMode.NONE:
            return {"mode": "NONE"}
        case ChoiceMode.REQUIRED:
            return {"mode": "ANY"}
        case ChoiceMode.TOOL | ChoiceMode.ALLOWED:
            known = dict(ToolNames(request))
            names = [flat for space, name in choice.names if (flat := flat_name(space, name)) in known]
            forced = choice.mode is ChoiceMode.TOOL or choice.required
            if not names:
                return {"mode": "ANY" if forced else "AUTO"}
            # VALIDATED is the mode that takes names and still lets the model answer in words.
            return {"mode": "ANY" if forced else "VALIDATED", "allowedFunctionNames": names}


def _hosted(tool: HostedTool, functions: bool, quirks: Quirks, losses: Losses) -> JSON | None:
    if tool.protocol == NAME:
        return dict(tool.raw)
    own = _HOSTED.get(tool.kind)
    if own is None or tool.kind not in quirks.hosted_tools:
        losses.add(f"tools.{tool.kind}", "this upstream does not run it")
        return None
    for name, value in tool.raw.items():
        if name not in ("type", "name"):
            said = msgspec.json.encode(value).decode()[:200]
            losses.add(f"tools.{tool.kind}.{name}", f"Gemini's {own} has no such setting: {said}")
    if functions and not quirks.mixed_tools:
        losses.add(f"tools.{tool.kind}", "this upstream does not run it beside functions")
        return None
    return {own: {}}


class _Writer:
    """Writes the functions of one request."""

    def __init__(self, request: Request, losses: Losses) -> None:
        self._namespaces = dict(request.namespaces)
        self._losses = losses
        self._dropped: set[str] = set()
        self._bare = 0

    def told(self) -> None:
        """One loss for each keyword that the schemas had to give up."""
        for name in sorted(self._dropped):
            words = "a list of anything is one of strings" if name == NO_ITEMS else "not in Gemini's schemas"
            self._losses.add(f"tools.parameters.{name}", words)
        if self._bare:
            self._losses.add("tools.parameters", f"{self._bare} of them name no properties, and are left out")

    def function(self, name: str, tool: CallableTool) -> JSON:
        """One tool under its flat name."""
        written = self._declared(name, as_function(tool, name), declared_name(tool)[0])
        if not isinstance(tool, FunctionTool):
            return written
        if tool.strict is not None:
            self._losses.add("tools.strict", "Gemini has no such switch")
        return written | self._own(tool)

    def _declared(self, name: str, tool: FunctionTool, space: str | None) -> JSON:
        written: JSON = {"name": name}
        # What is known of a namespace stands at its first tool.
        about = self._namespaces.pop(space, None) if space else None
        description = "\n\n".join(filter(None, (about, tool.description)))
        if description or tool.description is not None:
            written["description"] = description
        if tool.parameters:
            parameters, dropped = reduce(tool.parameters)
            self._dropped |= dropped
            if parameters.get("properties"):  # an object without any is refused
                written["parameters"] = parameters
            else:
                self._bare += 1
        return written

    def _own(self, tool: FunctionTool) -> JSON:
        for protocol, fields in tool.extras.items():
            if protocol != NAME:
                for field in fields:
                    self._losses.add(f"tools.{field}")
        return dict(tool.extras.get(NAME, {}))
