"""The short way for the chunks that make up nearly all of a stream: those that differ in their text and counts only."""

from __future__ import annotations

import re

import msgspec

_KEY = re.compile(rb'"text"\s*:\s*"')
_TEXT = rb'([^"\\]*+(?:\\.[^"\\]*+)*+)'
_MISSES = 8
_unquote = msgspec.json.Decoder(str).decode


class TextTemplate:
    """The bytes around the text of one chunk. Another chunk that fits says the same but for its text, and for numbers,
    which are the token counts that Google repeats in every chunk."""

    def __init__(self) -> None:
        self.thought = False
        self.last = b""  # the newest chunk that went this way: nobody has read its counts
        self._pattern: re.Pattern[bytes] | None = None
        self._framed: re.Pattern[bytes] | None = None
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
        end = re.compile(_TEXT, re.DOTALL).match(data, start)
        if end is None:
            return
        after = re.sub(rb"[0-9]+", rb"[0-9]+", re.escape(data[end.end() :]))
        body = re.escape(data[:start]) + _TEXT + after
        self.thought = thought
        self._pattern = re.compile(body, re.DOTALL)
        self._framed = re.compile(rb"data: " + body + rb"(?:\r\n\r\n|\n\n)", re.DOTALL)

    def forget(self) -> None:
        """No chunk fits any more until another has been learnt."""
        self._pattern = self._framed = None

    def text(self, data: bytes) -> str | None:
        """The text of a chunk that fits; None for any other."""
        return self._between(data, self._pattern)

    def framed(self, read: bytes) -> str | None:
        """The same for a read that is one such chunk with its frame and nothing else."""
        return self._between(read, self._framed)

    def _between(self, data: bytes, pattern: re.Pattern[bytes] | None) -> str | None:
        if pattern is None or (match := pattern.fullmatch(data)) is None:
            return None
        between = match[1]
        try:
            text = _unquote(b'"' + between + b'"') if b"\\" in between else between.decode()
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        self.last = data
        self._misses = 0
        return text
