"""Writes an answer as a stream of generateContent chunks for a Gemini client.

https://ai.google.dev/api/generate-content#v1beta.models.streamGenerateContent; pitfall 99.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from axonhub_cli.llm.content import Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart
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
from axonhub_cli.protocols.gemini.answer import AnswerWriter
from axonhub_cli.protocols.gemini.errors import encode_error
from axonhub_cli.protocols.gemini.finish import EMPTY_ANSWER, finish_word, gave_up
from axonhub_cli.protocols.gemini.response import encode_logprobs, encode_time
from axonhub_cli.protocols.gemini.signatures import NAME
from axonhub_cli.protocols.gemini.usage import encode_usage

# Blank lines: google-genai 3.4 takes a comment for JSON and raises (measured).
KEEPALIVE = b"\n\n"
# After an error: a line that never ends. Google's JavaScript SDK (1.30, that of Gemini CLI 0.61) hands errors amid a
# stream on as if they were chunks; of a torn line it makes an error that Gemini CLI answers by asking again, which it
# does not after a broken connection (measured). Readers of events drop such a line.
TORN = b"data: "
_encode = msgspec.json.encode


class GeminiStreamEncoder:
    """One stream: text and thoughts as they come, calls whole, the finish reason and the usage in the last chunk."""

    def __init__(self, request: Request, response_id: str) -> None:
        self._array = request.extras.get(NAME, {}).get("alt") == "json"
        self._opening = b"["
        self._before = b"" if self._array else b"data: "
        self._after = b"\n" if self._array else b"\n\n"
        self._answer = AnswerWriter(request)
        self._model = request.model
        self._id = response_id
        self._same: JSON = {}  # what every chunk repeats
        self._head = self._tail = b""
        self._text_head = self._thought_head = b""
        self._thought_tail = b""
        self._part: Part | None = None
        self._plain = False  # the open part is text that nothing has to travel on
        self._raw_reasoning = False
        self._paragraph: int | None = None
        self._logprobs: list[object] = []
        self._ended = False

    def encode(self, events: Iterable[StreamEvent]) -> bytes:
        """See `base.StreamEncoder`."""
        return b"".join(
            [
                self._text_head + _encode(event.text) + self._tail
                if self._plain and type(event) is PartDelta
                else self._event(event)
                for event in events
            ]
        )

    def keepalive(self) -> bytes:
        """See `base.StreamEncoder`."""
        return b"\n" if self._array else KEEPALIVE

    def _event(self, event: StreamEvent) -> bytes:
        match event:
            case PartDelta():
                return self._delta(event)
            case PartStart(part=part):
                self._part = part
                self._raw_reasoning, self._paragraph = False, None
                return b""
            case PartEnd(part=part):
                self._part, self._plain = None, False
                return self._finish_part(part)
            case ResponseStart():
                self._open(event)
                return b""
            case ResponseEnd():
                return self._close(event)
            case StreamError(error=error):
                return self._fail(error)

    def _open(self, event: ResponseStart) -> None:
        self._same = {"modelVersion": self._model or event.model}
        if event.created is not None:
            self._same["createTime"] = encode_time(event.created)
        self._same["responseId"] = event.id or self._id
        self._head = self._before + b'{"candidates":[{"content":{"parts":['
        same = b"," + _encode(self._same)[1:]
        self._tail = b'}],"role":"model"},"index":0}]' + same + self._after
        self._thought_tail = b',"thought":true' + self._tail
        self._text_head = self._thought_head = self._head + b'{"text":'
        if self._array:
            self._head, self._text_head, self._thought_head = b"," + self._head, b"", b""

    def _parts(self, parts: list[JSON]) -> bytes:
        return (
            self._begun(self._head + b",".join([_encode(part) for part in parts])[:-1] + self._tail) if parts else b""
        )

    def _begun(self, chunk: bytes) -> bytes:
        """In an array the first piece opens it, every other follows a comma."""
        if not self._array:
            return chunk
        opening, self._opening = self._opening, b","
        return opening + chunk.removeprefix(b",")

    def _delta(self, event: PartDelta) -> bytes:
        match self._part:
            case TextPart() | RefusalPart():
                out = self._parts([self._answer.text(event.text)])
                self._plain = self._answer.shown and not self._array
                return out
            case ReasoningPart():
                return self._thought(event)
            case _:
                return b""  # a call leaves whole

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
        if self._array:
            return self._parts([{"text": text, "thought": True}])
        return self._thought_head + _encode(text) + self._thought_tail

    def _finish_part(self, part: Part) -> bytes:
        match part:
            case ToolCallPart():
                return self._parts([self._answer.call(part)])
            case ReasoningPart():
                return self._parts(self._answer.thought(part))
            case TextPart():
                self._logprobs += part.logprobs
                return b""
            case _:
                return self._parts(self._answer.other(part))

    def _close(self, event: ResponseEnd) -> bytes:
        reason = event.finish_reason
        if reason.kind is FinishKind.ERROR:
            return self._fail(gave_up(reason.raw))
        self._ended = True
        parts = self._answer.rest()
        if not self._answer.shown:
            parts.append({"text": EMPTY_ANSWER[reason.kind]})
        candidate: JSON = {"finishReason": finish_word(reason), "index": 0, **self._answer.metadata}
        if parts:
            candidate = {"content": {"parts": parts, "role": "model"}, **candidate}
        if self._logprobs:
            candidate["logprobsResult"] = encode_logprobs(self._logprobs)
        chunk: JSON = {"candidates": [candidate]}
        if (usage := encode_usage(event.usage)) is not None:
            chunk["usageMetadata"] = usage
        return self._last(chunk | self._same)

    def _fail(self, error: APIError) -> bytes:
        """An error object where a chunk was due: Google's Python SDK raises it (reliability.md 5.3)."""
        if self._ended:
            return b""
        self._ended = True
        return self._last(encode_error(error)[1]) + (b"" if self._array else TORN)

    def _last(self, chunk: JSON) -> bytes:
        out = self._begun(self._before + _encode(chunk) + self._after)
        return out.rstrip(b"\n") + b"]\n" if self._array else out
