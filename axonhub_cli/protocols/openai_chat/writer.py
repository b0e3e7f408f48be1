"""Writes an answer as a stream of chat.completion.chunk events for a Chat client.

https://platform.openai.com/docs/api-reference/chat/streaming
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from axonhub_cli.llm.content import ImagePart, Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.events import (
    PartDelta,
    PartEnd,
    PartStart,
    ResponseEnd,
    ResponseStart,
    StreamError,
    StreamEvent,
)
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_chat.calls import CallNames
from axonhub_cli.protocols.openai_chat.details import FIELD, stored
from axonhub_cli.protocols.openai_chat.errors import encode_error
from axonhub_cli.protocols.openai_chat.fields import NAME
from axonhub_cli.protocols.openai_chat.finish import FINISH_WORDS, gave_up
from axonhub_cli.protocols.openai_chat.response import citations, completion_id
from axonhub_cli.protocols.openai_chat.usage import encode_usage
from axonhub_cli.protocols.patch import InputStream, wrap_input

KEEPALIVE = b": keepalive\n\n"  # comments count as life for the SDKs' read timeouts, and are otherwise skipped
DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.encode


class ChatStreamEncoder:
    """One stream: the role first, one finish_reason, usage only where it was asked for, [DONE] last, or an error."""

    def __init__(self, request: Request, response_id: str, now: int) -> None:
        options = request.extras.get(NAME, {}).get("stream_options")
        self._usage = isinstance(options, dict) and options.get("include_usage") is True
        self._names = CallNames(request)
        self._model = request.model
        self._id = response_id
        self._now = now
        self._head = b""
        self._tail = b',"logprobs":null,"finish_reason":null}]' + (b',"usage":null' if self._usage else b"") + b"}\n\n"
        self._part: Part | None = None
        self._calls = 0
        self._notes: list[JSON] = []  # told at once at the end: OpenAI's SDKs take one list of them
        self._images = 0
        self._input: InputStream | None = None  # of a function call that the client knows as a custom one
        self._sent: list[str] = []  # of a call's input
        self._raw_reasoning = False
        self._paragraph: int | None = None
        self._ended = False

    def encode(self, events: Iterable[StreamEvent]) -> bytes:
        """See `base.StreamEncoder`."""
        return b"".join([self._event(event) for event in events])

    def keepalive(self) -> bytes:
        """See `base.StreamEncoder`."""
        return KEEPALIVE

    def _event(self, event: StreamEvent) -> bytes:
        match event:
            case PartDelta():
                return self._delta(event)
            case PartStart(part=part):
                return self._begin(part)
            case PartEnd(part=part):
                return self._finish_part(part)
            case ResponseStart():
                return self._open(event)
            case ResponseEnd():
                return self._close(event)
            case StreamError(error=error):
                return self._fail(error)

    def _open(self, event: ResponseStart) -> bytes:
        if self._head:
            return b""
        base = {
            "id": completion_id(event.id or self._id),
            "object": "chat.completion.chunk",
            "created": event.created or self._now,
            "model": self._model or event.model,
        }
        self._head = b"data: " + _encode(base)[:-1] + b',"choices":'
        return self._chunk(b'{"role":"assistant","content":"","refusal":null}')

    def _chunk(self, delta: bytes) -> bytes:
        return self._head + b'[{"index":0,"delta":' + delta + self._tail

    def _begin(self, part: Part) -> bytes:
        self._part = part
        match part:
            case ToolCallPart():
                return self._begin_call(part)
            case ReasoningPart():
                self._raw_reasoning, self._paragraph = False, None
            case ImagePart():
                image = {"index": self._images, "type": "image_url", "image_url": {"url": part.url}}
                self._images += 1
                return self._chunk(_encode({"images": [image]}))
            case _:
                pass
        return b""

    def _delta(self, event: PartDelta) -> bytes:
        match self._part:
            case TextPart():
                return self._chunk(b'{"content":' + _encode(event.text) + b"}")
            case ToolCallPart():
                return self._more_input(event.text)
            case ReasoningPart():
                return self._thought(event)
            case RefusalPart():
                return self._chunk(b'{"refusal":' + _encode(event.text) + b"}")
            case _:
                return b""

    def _thought(self, event: PartDelta) -> bytes:
        """The chain as it comes; its summary only where there is no chain."""
        text = event.text
        if event.summary_index is None:
            self._raw_reasoning = True
        elif self._raw_reasoning:
            return b""
        elif self._paragraph not in (None, event.summary_index):
            text = "\n\n" + text
        self._paragraph = event.summary_index
        return self._chunk(b'{"reasoning_content":' + _encode(text) + b"}")

    def _begin_call(self, part: ToolCallPart) -> bytes:
        self._calls += 1
        self._sent = []
        self._input = None
        name = self._names.name(part)
        if self._names.legacy:
            return self._chunk(_encode({"function_call": {"name": name, "arguments": ""}})) if self._calls == 1 else b""
        if self._names.custom(part):
            self._input = None if part.kind is ToolKind.CUSTOM else InputStream(name)
            return self._call_chunk({"id": part.call_id, "type": "custom", "custom": {"name": name, "input": ""}})
        return self._call_chunk({"id": part.call_id, "type": "function", "function": {"name": name, "arguments": ""}})

    def _call_chunk(self, fields: JSON) -> bytes:
        return self._chunk(_encode({"tool_calls": [{"index": self._calls - 1, **fields}]}))

    def _more_input(self, text: str) -> bytes:
        part = self._part
        if not isinstance(part, ToolCallPart):
            return b""
        if self._names.custom(part):
            if self._input is not None:
                text = self._input.feed(text)
            return self._input_chunk("custom", "input", text)
        if part.kind is ToolKind.CUSTOM:
            return b""  # wrapped as a whole at the end
        return self._input_chunk("function", "arguments", text)

    def _input_chunk(self, kind: str, field: str, text: str) -> bytes:
        if not text:
            return b""
        self._sent.append(text)
        if self._names.legacy:
            return self._chunk(_encode({"function_call": {field: text}})) if self._calls == 1 else b""
        return self._call_chunk({kind: {field: text}})

    def _finish_part(self, part: Part) -> bytes:
        self._part = None
        match part:
            case ToolCallPart():
                return self._finish_call(part)
            case TextPart():
                return self._finish_text(part)
            case ReasoningPart() if blocks := stored(part.opaque):
                return self._chunk(_encode({FIELD: list(blocks)}))
            case _:
                return b""

    def _finish_call(self, part: ToolCallPart) -> bytes:
        """What the deltas could not say yet: the end of a mended text, or arguments that came whole."""
        if self._names.custom(part):
            final = self._input.close(part.input) if self._input is not None else part.input
            kind, field = "custom", "input"
        else:
            final = wrap_input(part.input) if part.kind is ToolKind.CUSTOM else part.input or "{}"
            kind, field = "function", "arguments"
        sent = "".join(self._sent)
        if final is None:  # nothing like the text that was asked for: the client tells the model
            return b"" if sent else self._input_chunk(kind, field, part.input)
        return self._input_chunk(kind, field, final[len(sent) :]) if final.startswith(sent) else b""

    def _finish_text(self, part: TextPart) -> bytes:
        self._notes += citations(part)
        out = b""
        if part.logprobs:
            choice = {
                "index": 0,
                "delta": {"content": ""},
                "logprobs": {"content": part.logprobs, "refusal": None},
                "finish_reason": None,
            }
            out = self._head + _encode([choice]) + (b',"usage":null}\n\n' if self._usage else b"}\n\n")
        return out

    def _close(self, event: ResponseEnd) -> bytes:
        if event.finish_reason.kind is FinishKind.ERROR:
            return self._fail(gave_up(event.finish_reason.raw))
        self._ended = True
        finish = FINISH_WORDS[event.finish_reason.kind]
        if self._names.legacy and finish == "tool_calls":
            finish = "function_call"
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}
        tier = b',"service_tier":' + _encode(event.service_tier) if event.service_tier else b""
        out = self._chunk(_encode({"annotations": self._notes})) if self._notes else b""
        out += self._head + _encode([choice]) + tier + (b',"usage":null}\n\n' if self._usage else b"}\n\n")
        if self._usage and (usage := encode_usage(event.usage)) is not None:
            out += self._head + b'[],"usage":' + _encode(usage) + b"}\n\n"
        return out + DONE

    def _fail(self, error: APIError) -> bytes:
        """An error object and no [DONE]: that makes every SDK raise (reliability.md 5.3)."""
        if self._ended:
            return b""
        self._ended = True
        return b"data: " + _encode(encode_error(error)[1]) + b"\n\n"
