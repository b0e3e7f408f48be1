"""Neutral parts of an answer -> output items, with the client's own tools put back (pitfalls 60, 103-109).

https://platform.openai.com/docs/api-reference/responses/object (output)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.llm.content import (
    CompactionPart,
    CustomTool,
    FunctionTool,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    SearchTool,
    TextPart,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_responses.content import annotations_of
from axonhub_cli.protocols.openai_responses.fields import NAME
from axonhub_cli.protocols.openai_responses.repair import repair_arguments
from axonhub_cli.protocols.openai_responses.tools import kind_of
from axonhub_cli.protocols.patch import unwrap_input
from axonhub_cli.protocols.tools import ToolNames, declared_name

MAX_ID = 64
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")
_PREFIXES = {
    ToolKind.FUNCTION: "fc",
    ToolKind.CUSTOM: "ctc",
    ToolKind.SEARCH: "tsc",
    ToolKind.SHELL: "lsh",
}


class Call(Struct, frozen=True):
    """A tool call under the client's own names."""

    id: str
    call_id: str
    kind: ToolKind
    name: str
    namespace: str | None = None
    schema: Mapping[str, Any] | None = None
    wrapped: bool = False  # a custom tool that the upstream knows as a function


class Names:
    """Ids and tool names of one answer; the ids follow from `response_id` alone."""

    def __init__(self, request: Request, response_id: str) -> None:
        plain = _UNSAFE.sub("", response_id.partition("_")[2] or response_id)
        self._base = plain[: MAX_ID - 16] or "0"
        self._request = request
        self._tools: ToolNames | None = None
        self.response_id = f"resp_{self._base}"

    def item_id(self, prefix: str, index: int, given: str | None = None) -> str:
        """The upstream's own id where this protocol can carry it, else one of ours."""
        if given and given.startswith(f"{prefix}_") and len(given) <= MAX_ID:
            return given
        return f"{prefix}_{self._base}_{index}"

    def call(self, part: ToolCallPart, index: int) -> Call:
        """The declaration behind a call. A call of a tool that was never declared stays as it came: Codex 0.169
        answers the model "unsupported call" and the turn goes on (measured; pitfall 48)."""
        if self._tools is None:
            self._tools = ToolNames(self._request)
        call_id = part.call_id or f"call_{self._base}_{index}"  # pitfall 39
        tool = self._tools.find(part.name, part.namespace)
        if tool is None:
            id = self.item_id(_PREFIXES[part.kind], index, part.id)
            return Call(id, call_id, part.kind, part.name, part.namespace)
        namespace, name = declared_name(tool)
        kind = kind_of(tool)
        return Call(
            self.item_id(_PREFIXES[kind], index, part.id),
            call_id,
            kind,
            name,
            namespace,
            tool.parameters if isinstance(tool, (FunctionTool, SearchTool)) else None,
            isinstance(tool, CustomTool) and part.kind is not ToolKind.CUSTOM,
        )


def call_input(call: Call, given: str) -> tuple[str, bool]:
    """The input as the client's tool takes it, and whether it came whole."""
    if call.kind is ToolKind.CUSTOM:
        if not call.wrapped:
            return given, True
        unwrapped = unwrap_input(given, call.name)
        # Broken text goes to the tool as it is: its complaint is what the model can learn from.
        return (given, False) if unwrapped is None else (unwrapped, True)
    return repair_arguments(given, call.schema)


def call_item(call: Call, text: str, status: str) -> JSON:
    """The item of a call; `text` is what `call_input` made of its input."""
    named: JSON = {"id": call.id, "type": "", "status": status, "call_id": call.call_id}
    match call.kind:
        case ToolKind.FUNCTION:
            named |= {"type": "function_call", "name": call.name, "arguments": text}
        case ToolKind.CUSTOM:
            named |= {"type": "custom_tool_call", "name": call.name, "input": text}
        case ToolKind.SEARCH:
            return named | {"type": "tool_search_call", "execution": "client", "arguments": _object(text)}
        case ToolKind.SHELL:
            return named | {"type": "local_shell_call", "action": _action(_object(text))}
    return named | ({"namespace": call.namespace} if call.namespace else {})


def _object(text: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError):
        return {}
    return value if isinstance(value, dict) else {}


def _action(value: dict[str, Any]) -> JSON:
    """A local_shell action; models write the command as one string or a list."""
    action = value.get("action")
    value = action if isinstance(action, dict) else value
    command = value.get("command", [])
    if isinstance(command, str):
        command = ["bash", "-lc", command]
    action = {"type": "exec", "command": command, "env": value.get("env") or {}}
    value = {"working_directory": value.get("workdir"), **value}
    optional = ("timeout_ms", "user", "working_directory")
    return action | {name: value[name] for name in optional if value.get(name) is not None}


def message_item(id: str, part: TextPart | RefusalPart, status: str, text: Any = None) -> JSON:
    """A message with one content part. `text` may be its text already encoded."""
    content = [content_part(part, text)] if status != "in_progress" else []
    return {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}


def content_part(part: TextPart | RefusalPart, text: Any = None) -> JSON:
    """The content part of an answer's message."""
    text = part.text if text is None else text
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": text}
    annotations = list(annotations_of(part.annotations))
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs_of(part.logprobs)}


def logprobs_of(found: Iterable[Mapping[str, Any]]) -> list[JSON]:
    """Chat Completions may leave `bytes` and `top_logprobs` out; here they are always lists."""

    def whole(item: Mapping[str, Any]) -> JSON:
        return {"token": item.get("token", ""), "logprob": item.get("logprob", 0.0), "bytes": item.get("bytes") or []}

    return [whole(item) | {"top_logprobs": [whole(top) for top in item.get("top_logprobs") or ()]} for item in found]


def reasoning_item(id: str, part: ReasoningPart, summary: Iterable[str], raw: str) -> JSON:
    """A reasoning item; its opaque state goes where clients send it back from (pitfalls 33, 63)."""
    item: JSON = {"id": id, "type": "reasoning"}
    item["summary"] = [{"type": "summary_text", "text": text} for text in summary]
    if raw:
        item["content"] = [{"type": "reasoning_text", "text": raw}]
    return item | _state(part)


def shown_reasoning(part: ReasoningPart) -> tuple[tuple[str, ...], str]:
    """Summary and raw chain as clients read them: a chain without a summary is shown as one (pitfall 32)."""
    if part.summary or not part.text:
        return part.summary, part.text
    return (part.text,), ""


def _state(part: ReasoningPart | CompactionPart) -> JSON:
    native = part.opaque.get(NAME)
    content = part.sealed or (native.get("encrypted_content") if isinstance(native, Mapping) else None)
    return {"encrypted_content": content} if content else {}


def compaction_item(id: str, part: CompactionPart) -> JSON:
    """A compaction item. Where nobody sealed the summary it travels open."""
    return {"id": id, "type": "compaction", "encrypted_content": part.summary or ""} | _state(part)


def whole_item(part: Part, names: Names, index: int) -> JSON | None:
    """The item of a part that has no deltas; None for one this protocol has no word for."""
    match part:
        case CompactionPart():
            return compaction_item(names.item_id("cmp", index, part.id), part)
        case OpaquePart(protocol=protocol) if protocol == NAME:
            return dict(part.raw)
        case ImagePart(url=url) if url.startswith("data:"):
            result = url.partition(",")[2]
            id = names.item_id("ig", index)
            return {"id": id, "type": "image_generation_call", "status": "completed", "result": result}
        case ImagePart(url=url):
            return message_item(names.item_id("msg", index), TextPart(f"![image]({url})"), "completed")
        case _:
            return None
