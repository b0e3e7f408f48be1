"""The short way for the chunks that make up nearly all of a stream: those that differ in their text and counts only."""

from __future__ import annotations

import re

import msgspec

_KEY = re.compile(rb'"text"\s*:\s*"')
_ESCAPED = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MISSES = 8
_unquote = msgspec.json.Decoder(str).decode


class TextTemplate:
    """The bytes around the text of one chunk. Another chunk that fits says the same but for its text, and for numbers,
    which are the token counts that Google repeats in every chunk."""

    def __init__(self) -> None:
        self.thought = False
        self.last = b""  # the newest chunk that went this way: nobody has read its counts
        self._before = self._before_frame = b""
        self._after: re.Pattern[bytes] | None = None
        self._after_frame: re.Pattern[bytes] | None = None
        self._misses = 0

    @property
    def wanted(self) -> bool:
        """Whether another try to learn is worth it."""
        return self._misses <= _MISSES

    def learn(self, data: bytes, thought: bool) -> None:
        """Remembers a chunk that has nothing to say but one text."""
        self._misses += 1
        keys = list(_KEY.finditer(data))
        if len(keys) != 1:
            return
        start = keys[0].end()
        end = _ESCAPED.match(data, start)
        if end is None:
            return
        after = re.sub(rb"[0-9]+", rb"[0-9]++", re.escape(data[end.end() :]))
        self.thought = thought
        self._before, self._after = data[:start], re.compile(after)
        self._before_frame, self._after_frame = b"data: " + self._before, re.compile(after + rb"(?:\r\n\r\n|\n\n)")

    def forget(self) -> None:
        """No chunk fits any more until another has been learnt."""
        self._after = self._after_frame = None

    def text(self, data: bytes) -> str | None:
        """The text of a chunk that fits; None for any other."""
        return self._between(data, self._before, self._after)

    def framed(self, read: bytes) -> str | None:
        """The same for a read that is one such chunk with its frame and nothing else."""
        return self._between(read, self._before_frame, self._after_frame)

    def _between(self, data: bytes, before: bytes, after: re.Pattern[bytes] | None) -> str | None:
        if after is None or not data.startswith(before):
            return None
        start = len(before)
        end = data.find(b'"', start)
        if data.find(b"\\", start, end) >= 0:
            match = _ESCAPED.match(data, start)
            end = match.end() if match is not None else -1
        if end < 0 or after.fullmatch(data, end) is None:
            return None
        between = data[start:end]
        try:
            text = _unquote(b'"' + between + b'"')
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        self.last = data
        self._misses = 0
        return text
