"""Parts of an answer as the content blocks an Anthropic client is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import (
    CompactionPart,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.anthropic_messages.fields import NAME
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.patch import wrap_input
from axonhub_cli.protocols.schema import repair_arguments
from axonhub_cli.protocols.tools import ToolNames, client_name, flat_name


class Names:
    """The tools of one request, and the ids of its answer."""

    def __init__(self, request: Request, response_id: str) -> None:
        self._tools = ToolNames(request)
        self._base = response_id
        self._made = 0

    def call(self, part: ToolCallPart) -> JSON:
        """The block of a call without its input. An undeclared tool keeps the upstream's name, flat."""
        tool = self._tools.find(part.name, part.namespace)
        name = client_name(tool) if tool else flat_name(part.namespace, part.name)
        self._made += 1
        return {
            "type": "tool_use",
            "id": part.call_id or f"toolu_{self._base}_{self._made}",
            "name": name,
            "input": {},
        }

    def whole_call(self, part: ToolCallPart) -> JSON:
        """The block with its input, mended where its schema allows that without loss (pitfall 47)."""
        return {**self.call(part), "input": _object(repair_arguments(call_arguments(part), self.schema(part)))}

    def schema(self, part: ToolCallPart) -> Mapping[str, Any] | None:
        """What the client declared of a call's input."""
        return getattr(self._tools.find(part.name, part.namespace), "parameters", None)


def call_arguments(part: ToolCallPart) -> str:
    """A call's input as the JSON object that Anthropic's clients take."""
    return wrap_input(part.input) if part.kind is ToolKind.CUSTOM else part.input


def message_id(response_id: str) -> str:
    """An id with Anthropic's own prefix."""
    return response_id if response_id.startswith("msg_") else f"msg_{response_id or 'none'}"


def shown(part: ReasoningPart) -> str:
    """What a client reads of reasoning: the chain, else its summary."""
    return part.text or "\n\n".join(part.summary)


def signature(part: ReasoningPart) -> str:
    """The vendor's own signature where it is Anthropic's, else our envelope: the client returns either (pitfall 63)."""
    state = part.opaque.get(NAME)
    own = state.get("signature") if isinstance(state, Mapping) else None
    return own if isinstance(own, str) else part.sealed or ""


def redacted(part: ReasoningPart) -> str | None:
    """The data of a redacted block; None for any other reasoning."""
    state = part.opaque.get(NAME)
    data = state.get("data") if isinstance(state, Mapping) else None
    return data if isinstance(data, str) else None


def citations(part: TextPart) -> list[JSON]:
    """The citations that are in Anthropic's own words."""
    return [dict(note[NAME]) for note in part.annotations if isinstance(note.get(NAME), Mapping)]


def blocks(parts: Iterable[Part], names: Names) -> list[JSON]:
    """An answer in one piece. It does not end with thinking that has no words, see `writer.StreamEncoder`."""
    written = [content for part in parts if (content := block(part, names)) is not None]
    while len(written) > 1 and written[-1]["type"] == "thinking" and not written[-1]["thinking"]:
        written.pop()
    return written


def block(part: Part, names: Names) -> JSON | None:
    """A part as one whole block; None for one that has nothing to show here."""
    match part:
        case TextPart():
            notes = citations(part)
            written: JSON = {"type": "text", "text": part.text, "citations": notes or None}
            return written if part.text else None
        case RefusalPart(text=text):
            return {"type": "text", "text": text, "citations": None} if text else None
        case ReasoningPart():
            if (data := redacted(part)) is not None:
                return {"type": "redacted_thinking", "data": data}
            text, sign = shown(part), signature(part)
            return {"type": "thinking", "thinking": text, "signature": sign} if text or sign else None
        case ToolCallPart():
            return names.whole_call(part)
        case CompactionPart(summary=str(summary)):
            return {"type": "text", "text": summary, "citations": None}
        case ImagePart(url=url):
            text = "[image]" if url.startswith("data:") else f"![image]({url})"
            return {"type": "text", "text": text, "citations": None}
        case OpaquePart(protocol=protocol) if protocol == NAME:
            return dict(part.raw)
        case _:
            return None


def _object(text: str) -> Any:
    """The input as an object; broken JSON shows what the model wrote."""
    if not text.strip():
        return {}
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {"broken_json": text.encode("utf-8", "replace").decode()}
    return value if isinstance(value, dict) else {"input": value}
