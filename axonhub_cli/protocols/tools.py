"""Names of tools on wires that know neither namespaces nor OpenAI's tool kinds.

Such a wire lists every tool as a function with a flat name. The same table, made anew from the same
request, takes an answer's name back to the client's declaration (pitfalls 19, 105-108, 114).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from axonhub_cli.llm.content import (
    CustomTool,
    FunctionTool,
    HostedTool,
    SearchTool,
    ShellTool,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.patch import lower_custom

MAX_NAME = 64
SEARCH_NAME = "tool_search"
SHELL_NAME = "local_shell"
_FIXED_NAMES = {ToolKind.SEARCH: SEARCH_NAME, ToolKind.SHELL: SHELL_NAME}
# The parameters of OpenAI's local shell, whose declaration names none:
# https://platform.openai.com/docs/guides/tools-local-shell
_SHELL: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments."},
        "workdir": {"type": "string", "description": "The directory to run it in."},
        "timeout_ms": {"type": "integer", "description": "The time it may take, in milliseconds."},
    },
    "required": ["command"],
}
_QUERY: Mapping[str, Any] = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What the tool should be able to do."}},
    "required": ["query"],
}
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")

CallableTool = FunctionTool | CustomTool | SearchTool | ShellTool


@lru_cache(maxsize=4096)  # a client sends the same tools with every turn
def flat_name(namespace: str | None, name: str) -> str:
    """`ns__name`, in letters every vendor takes, at most 64 of them. Deterministic; where letters had to
    change, a hash of the true name keeps two tools apart."""
    plain = f"{namespace}__{name}" if namespace else name
    safe = _UNSAFE.sub("_", plain)
    if safe == plain and len(safe) <= MAX_NAME:
        return safe
    digest = hashlib.sha256(f"{namespace or ''}\0{name}".encode()).hexdigest()[:8]
    return f"{safe[: MAX_NAME - 9]}_{digest}"


def declared_name(tool: CallableTool) -> tuple[str | None, str]:
    """Namespace and name as the client knows them."""
    match tool:
        case SearchTool():
            return None, SEARCH_NAME
        case ShellTool():
            return None, SHELL_NAME
        case FunctionTool() | CustomTool():
            return tool.namespace, tool.name


def client_name(tool: CallableTool) -> str:
    """The name that a client without namespaces declared a tool by, in whatever letters and length it has there."""
    namespace, name = declared_name(tool)
    return flat_name(namespace, name) if namespace else name


def call_name(part: ToolCallPart) -> str:
    """The flat name under which a call's tool is declared."""
    return _FIXED_NAMES.get(part.kind) or flat_name(part.namespace, part.name)


def call_input(part: ToolCallPart, losses: Losses) -> dict[str, Any]:
    """A call's input on wires where it is an object, whatever the model once wrote (pitfalls 6, 46)."""
    if part.kind is ToolKind.CUSTOM:
        return {"input": part.input}
    if not part.input.strip():
        return {}
    try:
        value = msgspec.json.decode(part.input)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        value = part.input.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return value
    losses.add("messages.tool_call.input", "it is no JSON object; it was wrapped in one")
    return {"input": value}


def as_function(tool: CallableTool, name: str) -> FunctionTool:
    """Any tool as a function called `name`; one that is a function stays as it is."""
    match tool:
        case FunctionTool():
            return tool
        case CustomTool():
            return lower_custom(tool, name)
        case SearchTool():
            description = tool.description or "Finds tools that are not listed."
            return FunctionTool(name, description, tool.parameters or _QUERY)
        case ShellTool():
            return FunctionTool(name, "Runs a command on the user's machine.", _SHELL)


class ToolNames:
    """The callable tools of one request under their flat names; the first declaration of a name wins."""

    def __init__(self, request: Request) -> None:
        self._tools: dict[str, CallableTool] = {}
        self._loose: dict[str, str] | None = None  # made when a name is not found as it is
        for tool in request.declared_tools():
            if isinstance(tool, HostedTool):
                continue
            self._tools.setdefault(flat_name(*declared_name(tool)), tool)

    def __iter__(self) -> Iterator[tuple[str, CallableTool]]:
        """(flat name, tool), in the order of declaration."""
        return iter(self._tools.items())

    def __len__(self) -> int:
        return len(self._tools)

    def find(self, name: str, namespace: str | None = None) -> CallableTool | None:
        """The declaration behind a name an upstream used: flat, dotted, or with its namespace apart."""
        flat = flat_name(namespace, name)
        if tool := self._tools.get(flat) or self._tools.get(name):
            return tool
        if self._loose is None:
            self._loose = {}
            for known, tool in self._tools.items():
                self._loose.setdefault(_loose("__".join(filter(None, declared_name(tool)))), known)
        found = self._loose.get(_loose(f"{namespace}__{name}" if namespace else name))
        return self._tools[found] if found else None


def _loose(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
