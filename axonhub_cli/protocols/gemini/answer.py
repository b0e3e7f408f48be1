"""An upstream's answer as the parts a Gemini client reads.

Pitfalls 88, 90, 91, 99, 102. What only the upstream understands leaves on the next text or call, since Gemini CLI keeps
those and drops thoughts.
"""

from __future__ import annotations

from axonhub_cli.llm.content import (
    AudioPart,
    CustomTool,
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini.media import encode_audio, encode_file, encode_url
from axonhub_cli.protocols.gemini.parts import call_arguments
from axonhub_cli.protocols.gemini.signatures import FIELD, NAME, THOUGHT, signature_of, wrap_tokens
from axonhub_cli.protocols.gemini.wire import METADATA
from axonhub_cli.protocols.patch import unwrap_input
from axonhub_cli.protocols.tools import ToolNames, declared_name, flat_name


class AnswerWriter:
    """The parts of one answer. `shown` is whether there is text or a call among them yet."""

    def __init__(self, request: Request) -> None:
        self.shown = False
        self.metadata: JSON = {}  # fields of the candidate, beside its content
        self._tools = ToolNames(request)
        self._tokens: list[str] = []  # ours, waiting for a part to travel on

    def text(self, text: str) -> JSON:
        """A piece of visible text."""
        self.shown = self.shown or not text.isspace()
        return {"text": text, FIELD: self._signature()} if self._tokens else {"text": text}

    def thought(self, part: ReasoningPart) -> list[JSON]:
        """What the end of a thought adds to its words: a signature of Google's own."""
        if part.sealed:
            self._tokens.append(part.sealed)
            return []
        if (found := signature_of(part.opaque)) is None:
            return []
        thought = {"thought": True} if found[1] == THOUGHT else {}
        return [{"text": "", **thought, FIELD: found[0]}]

    def call(self, part: ToolCallPart) -> JSON:
        """A whole call under the name and with the input the client declared."""
        self.shown = True
        tool = self._tools.find(part.name, part.namespace)
        name = ".".join(filter(None, declared_name(tool))) if tool else flat_name(part.namespace, part.name)
        arguments, _ = call_arguments(part)
        if isinstance(tool, CustomTool) and part.kind is not ToolKind.CUSTOM:
            text = unwrap_input(part.input, name)
            arguments = {"input": part.input if text is None else text}
        written: JSON = {"functionCall": {"id": part.call_id, "name": name, "args": arguments}}
        if self._tokens:
            written[FIELD] = self._signature()
        elif found := signature_of(part.opaque):
            written[FIELD] = found[0]
        return written

    def other(self, part: Part) -> list[JSON]:
        """Parts that come whole. Of what Gemini has no word for there is nothing; the trace keeps it."""
        match part:
            case ImagePart():
                return [encode_url(part.url, "image/png")]
            case AudioPart():
                return [encode_audio(part)]
            case FilePart():
                written = encode_file(part)
                return [written] if written is not None else []
            case OpaquePart(protocol=protocol, kind=kind, raw=raw) if protocol == NAME:
                if kind in METADATA:
                    self.metadata |= raw
                    return []
                return [dict(raw)]
            case _:
                return []

    def rest(self) -> list[JSON]:
        """What found no part to travel on."""
        return [{"text": "", "thought": True, FIELD: self._signature()}] if self._tokens else []

    def _signature(self) -> str:
        tokens, self._tokens = self._tokens, []
        return wrap_tokens(tokens)
