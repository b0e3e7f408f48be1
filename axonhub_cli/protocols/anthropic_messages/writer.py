"""Writes an answer as a stream of Messages events for an Anthropic client.

https://platform.claude.com/docs/en/build-with-claude/streaming; pitfalls 29, 63, 81, 86, 151.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from axonhub_cli.llm.content import Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, Usage
from axonhub_cli.llm.tokens import estimate_parts, estimate_request
from axonhub_cli.protocols.anthropic_messages.answer import (
    Names,
    block,
    call_arguments,
    citations,
    message_id,
    redacted,
    shown,
    signature,
)
from axonhub_cli.protocols.anthropic_messages.errors import error_body
from axonhub_cli.protocols.anthropic_messages.finish import gave_up, stop_reason
from axonhub_cli.protocols.anthropic_messages.usage import TIER_WORDS, encode_usage
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.mender import Mender

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_TAIL = b"}}\n\n"
_DELTAS = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
}
_STARTS: dict[str, JSON] = {
    "text": {"type": "text", "text": "", "citations": None},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
_json = msgspec.json.encode


class StreamEncoder:
    """One stream: message_start, blocks one after the other, message_delta and message_stop, or an error.

    A thinking block is closed only when something follows it: Claude Code takes a finished one for an answer begun and
    does not ask again after a failure (pitfall 86). One without words waits as a whole, and is left out where nothing
    comes after what was said: for Claude Code the last block is the answer, and thinking is none. That is how Gemini
    signs its last text, which it merely likes to have back
    (https://ai.google.dev/gemini-api/docs/thought-signatures).
    """

    def __init__(self, request: Request, response_id: str, now: int) -> None:
        del now  # messages have no date
        self._request = request
        self._id = response_id
        self._names = Names(request, response_id)
        self._index = 0  # of the next block, or of the open one
        self._part: Part | None = None
        self._kind = ""  # of the block a part is written as
        self._open = False  # a block has been started and not stopped
        self._head = b""  # of a plain delta of the open block
        self._sent: list[str] = []  # of a call's input, or of reasoning
        self._paragraph: int | None = None
        self._parts: list[Part] = []
        self._wordless: list[ReasoningPart] = []
        self._mender: Mender | None = None  # of the open call's input
        self._input = 0  # tokens, our guess
        self._started = self._ended = False

    def encode(self, events: Iterable[StreamEvent]) -> bytes:
        """See `base.StreamEncoder`."""
        out: list[bytes] = []
        for event in events:
            if type(event) is PartDelta and self._head and event.summary_index is None:
                try:
                    out.append(self._head + _json(event.text) + _TAIL)
                except UnicodeEncodeError:
                    out.append(self._head + _text(event.text) + _TAIL)
            elif not self._ended:
                out.append(self._event(event))
        return out[0] if len(out) == 1 else b"".join(out)

    def keepalive(self) -> bytes:
        """See `base.StreamEncoder`."""
        return b"" if self._ended else PING

    def _event(self, event: StreamEvent) -> bytes:
        match event:
            case PartDelta():
                return self._delta(event)
            case PartStart(part=part):
                return self._begin(part)
            case PartEnd(part=part):
                return self._finish(part)
            case ResponseStart():
                return b"" if self._started else self._start(event)
            case ResponseEnd():
                return self._close(event)
            case StreamError(error=error):
                return self._fail(error)

    def _start(self, event: ResponseStart) -> bytes:
        """The message with our guess of its input: the truth comes with message_delta, and clients that stop reading
        early must not see zero (pitfall 81)."""
        self._started = True
        self._input = estimate_request(self._request)
        message: JSON = {
            "id": message_id(event.id or self._id),
            "type": "message",
            "role": "assistant",
            "model": self._request.model or event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": encode_usage(Usage(input=self._input, output=1)),
        }
        return _frame({"type": "message_start", "message": message})

    def _begin(self, part: Part) -> bytes:
        self._part, self._sent, self._paragraph, self._kind = part, [], None, ""
        match part:
            case TextPart() | RefusalPart():
                self._kind = "text"  # which starts with its first characters: an empty block is refused in a history
            case ReasoningPart():
                self._kind = "thinking"
            case ToolCallPart():
                self._kind = "tool_use"
                self._mender = Mender(self._names.schema(part)) if part.kind is not ToolKind.CUSTOM else None
                return self._start_block(self._names.call(part), plain=False)
            case _:
                pass
        return b""

    def _start_block(self, content: JSON, *, plain: bool = True) -> bytes:
        out = self._stop_block() + self._signed()
        self._open = True
        if plain:
            self._head = (
                b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b'
                % (self._index, _DELTAS[self._kind])
            )
        return out + _frame({"type": "content_block_start", "index": self._index, "content_block": content})

    def _signed(self) -> bytes:
        """The blocks of the reasoning that waits."""
        out = b""
        for part in self._wordless:
            start = {"type": "content_block_start", "index": self._index, "content_block": _STARTS["thinking"]}
            sign = self._more({"type": "signature_delta", "signature": signature(part)})
            self._open = True
            out += _frame(start) + sign + self._stop_block()
        self._wordless = []
        return out

    def _stop_block(self) -> bytes:
        if not self._open:
            return b""
        self._open, self._head = False, b""
        self._index += 1
        return _frame({"type": "content_block_stop", "index": self._index - 1})

    def _delta(self, event: PartDelta) -> bytes:
        """The first of a block, a paragraph of a summary, which are parted by an empty line, or of a call's input."""
        if self._kind == "tool_use" and self._mender is not None:
            return self._input_json(self._mender.feed(event.text))
        if self._kind not in _STARTS or not event.text:
            return b""
        out = b"" if self._head else self._start_block(_STARTS[self._kind])
        text = event.text
        if event.summary_index is not None:
            if self._paragraph not in (None, event.summary_index):
                text = "\n\n" + text
            self._paragraph = event.summary_index
        return out + b"%b%b%b" % (self._head, _text(text), _TAIL)

    def _finish(self, part: Part) -> bytes:
        self._parts.append(part)
        kind, self._kind = self._kind, ""
        match part:
            case ReasoningPart() if kind == "thinking":
                return self._finish_thinking(part)
            case TextPart() if self._head:
                notes = b"".join(self._more({"type": "citations_delta", "citation": note}) for note in citations(part))
                return notes + self._stop_block()
            case RefusalPart() if self._head:
                return self._stop_block()
            case ToolCallPart():
                rest = call_arguments(part) if self._mender is None else self._mender.close()
                return self._input_json(rest) + self._stop_block()
            case TextPart() | RefusalPart():
                return b""
            case _:
                return self._whole(part)

    def _finish_thinking(self, part: ReasoningPart) -> bytes:
        """The signature closes it, the stop waits."""
        if not self._head and (redacted(part) is not None or not signature(part)):
            return self._whole(part)
        if not self._head and not shown(part):
            self._wordless.append(part)
            return b""
        self._kind = "thinking"
        out = b"" if self._head else self._start_block(_STARTS["thinking"])
        if out and (text := shown(part)):
            out += self._more({"type": "thinking_delta", "thinking": text})
        self._head, self._kind = b"", ""
        sign = signature(part)
        return out + (self._more({"type": "signature_delta", "signature": sign}) if sign else b"")

    def _whole(self, part: Part) -> bytes:
        """A block that has no deltas: it comes with its start."""
        content = block(part, self._names)
        if content is None:
            return b""
        if content.get("type") == "text":
            self._kind = "text"
            out = self._start_block(_STARTS["text"]) + self._more({"type": "text_delta", "text": content["text"]})
            self._kind = ""
        else:
            out = self._start_block(content, plain=False)
        return out if isinstance(part, ReasoningPart) else out + self._stop_block()

    def _input_json(self, text: str) -> bytes:
        return self._more({"type": "input_json_delta", "partial_json": text}) if text else b""

    def _more(self, delta: JSON) -> bytes:
        return _frame({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _close(self, event: ResponseEnd) -> bytes:
        if event.finish_reason.kind is FinishKind.ERROR:
            return self._fail(gave_up(event.finish_reason.raw))
        self._ended = True
        usage = event.usage or Usage()
        output = estimate_parts(tuple(self._parts)) if usage.output is None else 0
        counts = encode_usage(usage, input_guess=self._input, output_guess=output)
        if event.service_tier in TIER_WORDS:
            counts["service_tier"] = TIER_WORDS[event.service_tier]
        delta = {"stop_reason": stop_reason(event.finish_reason), "stop_sequence": None}
        end = _frame({"type": "message_delta", "delta": delta, "usage": counts})
        last = self._stop_block()
        if not self._index:
            last += self._signed()
        return last + end + _frame({"type": "message_stop"})

    def _fail(self, error: APIError) -> bytes:
        """An error event, after which nothing follows (reliability 5.3)."""
        self._ended = True
        self._head = b""
        return b"event: error\ndata: " + _text(error_body(error)) + b"\n\n"


def _frame(payload: JSON) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (payload["type"].encode(), _text(payload))


def _text(value: Any) -> bytes:
    """JSON; lone surrogates, which no UTF-8 can carry, become question marks."""
    try:
        return _json(value)
    except UnicodeEncodeError:
        return _json(_whole_characters(value))


def _whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(item) for key, item in value.items()}
    return [_whole_characters(item) for item in value] if isinstance(value, (list, tuple)) else value
