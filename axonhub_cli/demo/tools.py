"""How the demo model uses the tools that agents declare, whatever their names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.demo.shapes import instance
from axonhub_cli.demo.wishes import ApplyPatch, RunCommand, Wish
from axonhub_cli.llm.content import (
    CustomTool,
    FunctionTool,
    HostedTool,
    SearchTool,
    ShellTool,
    Tool,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.llm.request import ChoiceMode, Request

# In order of preference; Codex, Claude Code, OpenCode, Gemini CLI.
_SHELLS = ("exec_command", "shell_command", "shell", "container.exec", "local_shell", "bash", "run_shell_command")
_WRITERS = ("write", "write_file", "create_file")
_COMMANDS = ("cmd", "command")
_PATHS = ("file_path", "filePath", "path", "absolute_path")


class Toolbox:
    """The tools of one request."""

    def __init__(self, request: Request) -> None:
        self._forced = request.tool_choice
        off = request.tool_choice is not None and request.tool_choice.mode is ChoiceMode.NONE
        declared = () if off else tuple(request.declared_tools())
        self._tools = [tool for tool in declared if not isinstance(tool, HostedTool)]

    def call(self, wish: Wish, call_id: str) -> ToolCallPart | None:
        """A call that fulfils `wish`; None where no tool can."""
        if isinstance(wish, RunCommand):
            return self._run(wish.command, call_id)
        return self._patch(wish, call_id) or self._write(wish, call_id) or self._run(_heredoc(wish), call_id)

    def forced(self, text: str, call_id: str) -> ToolCallPart | None:
        """The call the client insists on, with arguments made from the tool's schema; None where it does not."""
        choice = self._forced
        if choice is None or not self._tools:
            return None
        named = {name for _, name in choice.names}
        if choice.mode is ChoiceMode.TOOL:
            tool = next((one for one in self._tools if _name(one) in named), None)
        elif choice.mode is ChoiceMode.REQUIRED or choice.required:
            tool = next((one for one in self._tools if not named or _name(one) in named), None)
        else:
            tool = None
        if tool is None:
            return None
        if isinstance(tool, CustomTool):
            return _call(tool, text, call_id)
        return _call(tool, _json(instance(getattr(tool, "parameters", None), text) or {}), call_id)

    def _run(self, command: str, call_id: str) -> ToolCallPart | None:
        for name in _SHELLS:
            for tool in self._tools:
                if isinstance(tool, ShellTool) and name == "local_shell":
                    return _call(tool, _json({"type": "exec", "command": _shell(command), "env": {}}), call_id)
                if isinstance(tool, FunctionTool) and _plain(tool) == name:
                    arguments = _shell_arguments(tool, command)
                    if arguments is not None:
                        return _call(tool, _json(arguments), call_id)
        script = (
            f"const result = await tools.exec_command({_json({'cmd': command})});\n"
            'text(typeof result === "string" ? result : (result.output ?? result));'
        )
        return self._script(script, call_id)

    def _patch(self, wish: ApplyPatch, call_id: str) -> ToolCallPart | None:
        for tool in self._tools:
            if _plain(tool) == "apply_patch":
                return _call_freeform(tool, wish.patch, call_id)
        return self._script(f"text(await tools.apply_patch({_json(wish.patch)}));", call_id)

    def _write(self, wish: ApplyPatch, call_id: str) -> ToolCallPart | None:
        if wish.path is None:
            return None
        for tool in self._tools:
            if isinstance(tool, FunctionTool) and _plain(tool) in _WRITERS:
                properties = _properties(tool)
                field = next((name for name in _PATHS if name in properties), None)
                if field and "content" in properties:
                    filled = {**_required(tool), field: wish.path, "content": f"{wish.content}\n"}
                    return _call(tool, _json(filled), call_id)
        return None

    def _script(self, script: str, call_id: str) -> ToolCallPart | None:
        """JavaScript for Codex's code mode (pitfall 112): there the other tools are inside `exec`."""
        for tool in self._tools:
            freeform = isinstance(tool, CustomTool) or (isinstance(tool, FunctionTool) and "input" in _properties(tool))
            if freeform and _plain(tool) == "exec":
                return _call_freeform(tool, script, call_id)
        return None


def _call_freeform(tool: Tool, text: str, call_id: str) -> ToolCallPart:
    if isinstance(tool, FunctionTool):
        properties = _properties(tool)
        field = next((name for name in ("input", "patch", "patchText") if name in properties), "input")
        return _call(tool, _json({**_required(tool), field: text}), call_id)
    return _call(tool, text, call_id)


def _call(tool: Tool, text: str, call_id: str) -> ToolCallPart:
    match tool:
        case CustomTool():
            return ToolCallPart(call_id, tool.name, text, ToolKind.CUSTOM, tool.namespace)
        case FunctionTool():
            return ToolCallPart(call_id, tool.name, text, ToolKind.FUNCTION, tool.namespace)
        case SearchTool():
            return ToolCallPart(call_id, "tool_search", text, ToolKind.SEARCH)
        case _:
            return ToolCallPart(call_id, "local_shell", text, ToolKind.SHELL)


def _shell_arguments(tool: FunctionTool, command: str) -> dict[str, Any] | None:
    properties = _properties(tool)
    field = next((name for name in _COMMANDS if name in properties), None)
    if field is None:
        return {"command": _shell(command)} if "action" not in properties else {"action": {"command": _shell(command)}}
    takes_list = "array" in str(properties[field].get("type"))
    return {**_required(tool), field: _shell(command) if takes_list else command}


def _heredoc(wish: ApplyPatch) -> str:
    if wish.path is not None and wish.content is not None:
        return f"cat > {shlex.quote(wish.path)} <<'AXONHUB_EOF'\n{wish.content}\nAXONHUB_EOF"
    return f"apply_patch <<'AXONHUB_EOF'\n{wish.patch}\nAXONHUB_EOF"


def _shell(command: str) -> list[str]:
    return ["bash", "-lc", command]


def _properties(tool: FunctionTool) -> Mapping[str, Any]:
    properties = (tool.parameters or {}).get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _required(tool: FunctionTool) -> dict[str, Any]:
    filled = instance(tool.parameters, "demo")
    return filled if isinstance(filled, dict) else {}


def _name(tool: Tool) -> str:
    return tool.name if isinstance(tool, (FunctionTool, CustomTool)) else type(tool).__struct_config__.tag or ""  # type: ignore[return-value]


def _plain(tool: Tool) -> str:
    """The name without a namespace that was joined to it (`functions__exec`)."""
    return _name(tool).rsplit("__", 1)[-1].lower()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
