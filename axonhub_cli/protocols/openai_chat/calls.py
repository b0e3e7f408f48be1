"""An upstream's tool calls under the names and in the form in which a Chat client declared its tools."""

from __future__ import annotations

from axonhub_cli.llm.content import CustomTool, ToolCallPart, ToolKind
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_chat.fields import NAME
from axonhub_cli.protocols.patch import unwrap_input, wrap_input
from axonhub_cli.protocols.tools import ToolNames, client_name, flat_name


class CallNames:
    """The tools of one request. `legacy` is whether the client knows only `functions`, one call at a time."""

    def __init__(self, request: Request) -> None:
        self._tools = ToolNames(request)
        self.legacy = "functions" in request.extras.get(NAME, {})

    def name(self, call: ToolCallPart) -> str:
        """The client's own name; an undeclared tool keeps the upstream's, flat."""
        tool = self._tools.find(call.name, call.namespace)
        return client_name(tool) if tool else flat_name(call.namespace, call.name)

    def custom(self, call: ToolCallPart) -> bool:
        """Whether the client gets it as a custom call, with raw text."""
        tool = self._tools.find(call.name, call.namespace)
        return isinstance(tool, CustomTool) or (tool is None and call.kind is ToolKind.CUSTOM)

    def whole(self, call: ToolCallPart) -> JSON:
        """One entry of `tool_calls`."""
        name = self.name(call)
        raw = call.kind is ToolKind.CUSTOM
        if self.custom(call):
            text = call.input if raw else unwrap_input(call.input, name)
            return {
                "id": call.call_id,
                "type": "custom",
                "custom": {"name": name, "input": call.input if text is None else text},
            }
        arguments = wrap_input(call.input) if raw else call.input
        return {"id": call.call_id, "type": "function", "function": {"name": name, "arguments": arguments or "{}"}}
