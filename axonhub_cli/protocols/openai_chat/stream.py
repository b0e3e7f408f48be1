"""Reads a stream of chat.completion.chunk events, in the dialects of those who say they send it.

https://platform.openai.com/docs/api-reference/chat/streaming; pitfalls 29-51 and 57-59.
"""

from __future__ import annotations

import hashlib

import msgspec

from axonhub_cli.llm.content import ImagePart, ToolKind
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.events import ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.response import FinishKind, FinishReason, Usage
from axonhub_cli.protocols.openai_chat.details import DetailReader
from axonhub_cli.protocols.openai_chat.errors import broken, error_inside
from axonhub_cli.protocols.openai_chat.hot import TextTemplate
from axonhub_cli.protocols.openai_chat.think import ThinkSplitter
from axonhub_cli.protocols.openai_chat.usage import decode_usage
from axonhub_cli.protocols.openai_chat.wire import (
    WireCall,
    WireChoice,
    WireChunk,
    WireDelta,
    WireFunction,
    convert,
    decode_lenient,
    decode_strict,
)
from axonhub_cli.protocols.parts import PartWriter
from axonhub_cli.protocols.sse import Event, SSEParser, SSETooLarge
from axonhub_cli.vendors import Quirks

NAME = "openai_chat"
MAX_BODY = 64 * 1024 * 1024  # of a whole answer sent where a stream was asked for

_FINISH = {
    "stop": FinishKind.STOP,
    "end_turn": FinishKind.STOP,
    "stop_sequence": FinishKind.STOP,
    "eos": FinishKind.STOP,
    "length": FinishKind.LENGTH,
    "max_tokens": FinishKind.LENGTH,
    "model_length": FinishKind.LENGTH,  # Mistral
    "tool_calls": FinishKind.TOOL_CALLS,
    "tool_use": FinishKind.TOOL_CALLS,
    "function_call": FinishKind.TOOL_CALLS,
    "content_filter": FinishKind.CONTENT_FILTER,
    "sensitive": FinishKind.CONTENT_FILTER,  # Zhipu
    "error": FinishKind.ERROR,
    "network_error": FinishKind.ERROR,  # Zhipu
    "insufficient_system_resource": FinishKind.ERROR,  # DeepSeek
    "abort": FinishKind.ERROR,  # vLLM
}
_OVERLOADED = ("insufficient_system_resource", "network_error")


class ChatStreamDecoder:
    """One stream. Never raises; exactly one ResponseEnd or StreamError leaves it."""

    def __init__(self, quirks: Quirks) -> None:
        self._sse = SSEParser()
        self._writer = PartWriter()
        self._think = ThinkSplitter() if quirks.think_tags else None
        self._details = DetailReader()
        self._quirks = quirks
        self._out: list[StreamEvent] = []
        self._started = self._ended = self._done = False
        self._mirrored = False  # reasoning comes in a field of its own: the blocks beside it only repeat it
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._tier: str | None = None
        self._hot = TextTemplate()
        self._body: bytearray | None = None  # an answer that is no stream
        self._sniffed = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """See `base.StreamDecoder`."""
        if self._ended:
            return []
        if not self._sniffed:
            self._sniff(data)
        if self._body is not None:
            self._body += data
            if len(self._body) > MAX_BODY:
                self._fail(broken("The upstream's answer is too large."))
            return self._drain()
        try:
            events = self._sse.feed(data)
        except SSETooLarge:
            self._fail(broken("The upstream sent an event that is too large."))
            return self._drain()
        for event in events:
            self._event(event)
            if self._ended:
                break
        return self._drain()

    def close(self) -> list[StreamEvent]:
        """See `base.StreamDecoder`."""
        if self._ended:
            return []
        if self._body is not None:
            self._whole(bytes(self._body))
            return self._drain()
        try:
            rest = self._sse.close()
        except SSETooLarge:
            self._fail(broken("The upstream sent an event that is too large."))
            return self._drain()
        for event in rest:
            if not self._ended:
                self._event(event, last=True)
        if not self._ended:
            if self._finish or self._done:
                self._end()
            else:
                self._fail(broken("The upstream's stream ended before its answer did.", code="stream_truncated"))
        return self._drain()

    def whole(self, payload: object) -> list[StreamEvent]:
        """Events of an answer that came in one piece."""
        try:
            chunk = convert(payload)
        except msgspec.ValidationError as problem:
            self._fail(broken(f"The upstream's answer cannot be read: {problem}."))
            return self._drain()
        if chunk.error is None and not chunk.choices:
            self._fail(error_inside(msgspec.json.encode(payload)))
            return self._drain()
        self._chunk(chunk, b"")
        if not self._ended:
            self._end()
        return self._drain()

    def _sniff(self, data: bytes) -> None:
        """JSON or HTML where a stream was asked for (pitfall 50)."""
        head = data.lstrip()
        if head:
            self._sniffed = True
            if head[:1] in (b"{", b"[", b"<"):
                self._body = bytearray()

    def _whole(self, body: bytes) -> None:
        try:
            payload = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._fail(error_inside(body))
            return
        self._out = self.whole(payload)

    def _event(self, event: Event, *, last: bool = False) -> None:
        data = event.data
        if (text := self._hot.text(data)) is not None:
            if self._hot.field == "content":
                self._writer.text(text)
            else:
                self._writer.reasoning(text)
            return
        if data == b"[DONE]":
            self._done = True
            self._end()
            return
        try:
            chunk = decode_strict(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            odd = self._odd(data, last)
            if odd is None:
                return
            chunk = odd
        if event.event == "error" and not self._finish:
            self._fail(error_inside(data))
            return
        self._chunk(chunk, data)
        if self._hot.wanted:
            self._learn(chunk, data)

    def _odd(self, data: bytes, last: bool) -> WireChunk | None:
        """A chunk that is not as it should be; None once it has been dealt with."""
        plain = data.strip()
        if plain == b"[DONE]":
            self._done = True
            self._end()
            return None
        if not plain or last:  # the last line of a stream that was cut: the end is judged without it
            return None
        try:
            return decode_lenient(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            if not self._finish:
                self._fail(broken(f"The upstream sent an event that cannot be read: {problem}."))
            return None

    def _chunk(self, chunk: WireChunk, data: bytes) -> None:
        choices = chunk.choices
        if chunk.error is not None or (not choices and self._refused(chunk)):
            if not self._finish:
                self._fail(error_inside(data or msgspec.json.encode({"error": chunk.error})))
            return
        if not self._started:
            if not choices and chunk.usage is None:
                return  # a preamble: Azure's prompt filter results
            self._start(chunk, data)
        if choices:
            for choice in choices:
                if not choice.index:  # only the first of several answers
                    self._choice(choice)
        if chunk.service_tier is not None:
            self._tier = chunk.service_tier
        if chunk.usage is not None or chunk.x_groq is not None or chunk.timings is not None:
            self._count(chunk)  # which may be the end

    def _refused(self, chunk: WireChunk) -> bool:
        if chunk.base_resp:
            return bool(chunk.base_resp.get("status_code"))
        return chunk.choices is None and chunk.usage is None and chunk.id is None

    def _start(self, chunk: WireChunk, data: bytes) -> None:
        self._started = True
        self._writer.prefix = chunk.id or hashlib.sha256(data).hexdigest()[:16]
        created = int(chunk.created) if chunk.created else None
        self._out.append(ResponseStart(chunk.id or "", chunk.model or "", created))

    def _count(self, chunk: WireChunk) -> None:
        usage = decode_usage(chunk.usage, chunk.timings)
        if usage is None and chunk.x_groq:
            usage = decode_usage(chunk.x_groq.get("usage"))
        if usage is not None:
            self._usage = usage
            if self._finish:  # nothing that counts can follow (pitfall 36)
                self._end()

    def _choice(self, choice: WireChoice) -> None:
        delta = choice.delta
        if delta is None and choice.message is not None and self._writer.empty:
            delta = choice.message
        if delta is not None:
            self._delta(delta)
        if choice.logprobs is not None and isinstance(choice.logprobs, dict):
            self._writer.annotate(logprobs=choice.logprobs.get("content") or ())
        if choice.finish_reason and not self._finish:
            self._finish = choice.finish_reason
        if choice.usage is not None:
            self._usage = decode_usage(choice.usage) or self._usage

    def _learn(self, chunk: WireChunk, data: bytes) -> None:
        """See `hot`: nothing but one text may be in the chunk."""
        if self._think is not None or self._finish or self._details.pending or not chunk.choices:
            return
        choice = chunk.choices[0]
        plain = WireChunk(chunk.id, chunk.model, chunk.created, chunk.choices)
        delta = choice.delta
        if delta is None or chunk != plain or choice != WireChoice(choice.index, delta) or len(chunk.choices) > 1:
            return
        if isinstance(delta.content, str) and delta.content and delta == WireDelta(delta.content):
            self._hot.learn(data, "content", delta.content)
        elif delta.reasoning_content and delta == WireDelta(delta.content or None, delta.reasoning_content):
            self._hot.learn(data, "reasoning_content", delta.reasoning_content)

    def _delta(self, delta: WireDelta) -> None:
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
            self._reason(delta)
        content = delta.content
        if content:
            if type(content) is not str:
                content = _joined(content)
            if self._details.pending:
                self._details.release(self._writer)
            if self._think is None:
                self._writer.text(content)
            else:
                self._split(self._think.feed(content))
        if delta.tool_calls:
            self._details.release(self._writer)
            for call in delta.tool_calls:
                self._call(call)
        if delta.function_call is not None:
            self._writer.call("function_call", None, delta.function_call.name, _input(delta.function_call))
        if delta.refusal:
            self._writer.refusal(delta.refusal)
        if delta.annotations:
            self._writer.annotate(note for note in delta.annotations if isinstance(note, dict))
        if delta.images:
            self._images(delta.images)

    def _reason(self, delta: WireDelta) -> None:
        """Vendors mirror one text in several fields: the first of them counts (pitfall 58)."""
        text = delta.reasoning_content or delta.reasoning
        told = self._details.read(delta.reasoning_details) if delta.reasoning_details else ""
        if not isinstance(text, str):
            text = _joined(text)
        self._mirrored = self._mirrored or bool(text)
        if text or (told and not self._mirrored):
            self._writer.reasoning(text or told)

    def _split(self, pieces: list[tuple[bool, str]]) -> None:
        for thought, text in pieces:
            if thought:
                self._writer.reasoning(text)
            else:
                self._writer.text(text)

    def _call(self, call: WireCall) -> None:
        function = call.function or call.custom
        kind = ToolKind.CUSTOM if call.custom is not None else ToolKind.FUNCTION
        name = function.name if function else None
        opaque = {NAME: {"extra_content": call.extra_content}} if call.extra_content else None
        self._writer.call(call.index, call.id, name, _input(function), kind=kind, opaque=opaque)

    def _images(self, images: list[object]) -> None:
        for image in images:
            url = image.get("image_url") if isinstance(image, dict) else None
            url = url.get("url") if isinstance(url, dict) else url
            if isinstance(url, str) and url:
                self._writer.whole(ImagePart(url))

    def _end(self) -> None:
        """The answer is complete, as far as the upstream says so."""
        if not self._started:
            self._fail(broken("The upstream's stream has no answer in it.", code="stream_empty"))
            return
        if self._think is not None:
            self._split(self._think.close())
        self._details.release(self._writer)
        self._out += self._writer.drain()
        self._out += self._writer.finish()
        calls = self._writer.calls - self._writer.nameless
        if self._writer.nameless and not calls:  # pitfall 42
            self._fail(broken("The upstream called a tool without naming it.", code="invalid_tool_call"))
            return
        reason = self._reason_to_stop(calls > 0)
        if reason.kind is FinishKind.ERROR:
            self._fail(_gave_up(reason.raw or ""))
            return
        self._ended = True
        self._out.append(ResponseEnd(reason, self._usage, self._tier))

    def _reason_to_stop(self, called: bool) -> FinishReason:
        kind = _FINISH.get(self._finish or "stop", FinishKind.STOP)
        if kind is FinishKind.STOP and called:
            kind = FinishKind.TOOL_CALLS
        elif kind is FinishKind.TOOL_CALLS and not called:
            kind = FinishKind.STOP
        return FinishReason(kind, self._finish)

    def _fail(self, error: APIError) -> None:
        if self._started:
            self._out += self._writer.drain()
        self._out.append(StreamError(error, self._usage))
        self._ended = True

    def _drain(self) -> list[StreamEvent]:
        if not self._ended and self._started:
            if self._out:
                self._out += self._writer.drain()
            else:
                return self._writer.drain()
        events, self._out = self._out, []
        return events


def _gave_up(reason: str) -> APIError:
    kind = ErrorKind.OVERLOADED if reason in _OVERLOADED else ErrorKind.SERVER_ERROR
    status = 503 if kind is ErrorKind.OVERLOADED else 500
    return APIError(kind, f"The upstream gave up on its answer ({reason}).", status, code=reason, upstream=True)


def _input(function: WireFunction | None) -> str:
    if function is None:
        return ""
    value = function.arguments if function.arguments is not None else function.input
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()


def _joined(content: object) -> str:
    """The text of a list of parts (Mistral's thinking models, some whole answers)."""
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") if isinstance(part, dict) else part for part in content)
    return "".join(text for text in texts if isinstance(text, str))
