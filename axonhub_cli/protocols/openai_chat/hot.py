"""The short way for the chunks that make up nearly all of a stream: those that differ in one string only."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import itemgetter

import msgspec

from axonhub_cli.protocols.openai_chat.wire import WireCall, WireChoice, WireChunk, WireDelta, WireFunction

_STRINGS = {
    field: re.compile(rb'"%b"\s*:\s*"((?:[^"\\]|\\.)*)"' % field.encode())
    for field in ("content", "reasoning_content", "reasoning", "arguments")
}
_MISSES = 8  # vendors that pad every chunk with noise are not worth trying
_DATA = b"data: "
_JOINT = b"\x7f"  # legal in a JSON string, part of no escape and of no UTF-8 sequence
_JOINED = _JOINT.decode()
_decode = msgspec.json.Decoder(str).decode


class ChunkTemplate:
    """The bytes around the string of one chunk; another chunk with the same bytes around it says the same otherwise.

    `field` is what the string belongs to; `call` is the fragment of a call that it came in, for arguments.
    """

    def __init__(self) -> None:
        self.field = ""
        self.call = WireCall()
        self._before = b""
        self._after = b""
        self._head = b""  # `_before` with what begins an event
        self._between = b""  # the end of one event and the beginning of the next
        self._cut: Callable[[bytes], bytes] = bytes  # takes the string out of an event
        self._misses = 0

    @property
    def wanted(self) -> bool:
        """Whether another try to learn is worth it."""
        return self._misses <= _MISSES

    def learn(self, data: bytes, chunk: WireChunk) -> None:
        """Remembers the chunk, if it has nothing to say but one string."""
        if (said := _only(chunk)) is None:
            return
        self._misses += 1
        field, text, call = said
        found = list(_STRINGS[field].finditer(data))
        if len(found) != 1 or _string(found[0][1]) != text:
            return
        self.field, self.call = field, call or self.call
        self._before, self._after = data[: found[0].start(1)], data[found[0].end(1) :]
        self._head = _DATA + self._before
        self._between = self._after + b"\n\n" + self._head
        self._cut = itemgetter(slice(len(self._head), -len(self._after)))

    def forget(self) -> None:
        """No chunk matches any more until another has been learnt."""
        self._after = b""

    def text(self, data: bytes) -> str | None:
        """The string of a chunk that differs from the one learnt only in it; None for any other."""
        before, after = self._before, self._after
        if not after or not data.startswith(before) or not data.endswith(after):
            return None
        return self._told(data[len(before) : -len(after)]) if len(data) >= len(before) + len(after) else None

    def run(self, events: bytes) -> tuple[str, bytes] | None:
        """The strings of the chunks that `events` begins with, joined, and what follows them; None where the first
        events are others. Events are whole, with one blank line between them."""
        head, after = self._head, self._after
        if not after or not events.startswith(head):
            return None
        if b"\n\n" not in events:
            only = self.text(events[len(_DATA) :])
            return None if only is None else (only, b"")
        if events.endswith(after):
            end = rest = len(events) - len(after)
        else:
            end = events.rfind(after + b"\n\n")
            rest = end + 2
        if end < len(head):
            return None
        # Cut at lines and put together again, which costs a quarter of looking for the long text between strings.
        whole = events if end + len(after) == len(events) else events[: end + len(after)]
        strings = list(map(self._cut, whole.split(b"\n")[::2]))
        if self._between.join(strings) != events[len(head) : end]:
            return None
        # Decoded as one string, which also proves that each was one: a quote between them, or an escape or a
        # character cut in two, is no JSON.
        text = self._told(_JOINT.join(strings))
        if text is None:
            return None
        if text.count(_JOINED) != len(strings) - 1:  # the model writes such characters itself
            return None
        return text.replace(_JOINED, ""), events[rest + len(after) :]

    def _told(self, raw: bytes) -> str | None:
        text = _string(raw)
        if text is not None:
            self._misses = 0
        return text


def _string(raw: bytes) -> str | None:
    """What stands between the quotes of a JSON string; None where it is none."""
    try:
        return _decode(b'"%b"' % raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _only(chunk: WireChunk) -> tuple[str, str, WireCall | None] | None:
    """The field and the string of a chunk that says nothing else."""
    if not chunk.choices or len(chunk.choices) > 1:
        return None
    choice = chunk.choices[0]
    delta = choice.delta
    if delta is None or chunk != WireChunk(chunk.id, chunk.model, chunk.created, chunk.choices):
        return None
    if choice != WireChoice(choice.index, delta):
        return None
    content = delta.content
    if isinstance(content, str) and content:
        return ("content", content, None) if delta == WireDelta(content) else None
    if isinstance(delta.reasoning_content, str) and delta.reasoning_content:
        same = delta == WireDelta(content, delta.reasoning_content)
        return ("reasoning_content", delta.reasoning_content, None) if same else None
    if isinstance(delta.reasoning, str) and delta.reasoning:
        same = delta == WireDelta(content, reasoning=delta.reasoning, reasoning_content=delta.reasoning_content)
        return ("reasoning", delta.reasoning, None) if same else None
    return _arguments(delta)


def _arguments(delta: WireDelta) -> tuple[str, str, WireCall | None] | None:
    calls = delta.tool_calls
    if not calls or len(calls) > 1 or delta != WireDelta(delta.content, delta.reasoning_content, tool_calls=calls):
        return None
    call = calls[0]
    function = call.function
    if function is None or function.name or not isinstance(function.arguments, str) or not function.arguments:
        return None
    if call != WireCall(call.index, call.id, call.type, function):
        return None
    same = function == WireFunction(function.name, function.arguments)
    return ("arguments", function.arguments, call) if same else None
