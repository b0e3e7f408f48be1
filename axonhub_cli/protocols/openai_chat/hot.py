"""The short way for the chunks that make up nearly all of a stream: those that differ in their text only."""

from __future__ import annotations

_KEYS = {"content": b'"content":"', "reasoning_content": b'"reasoning_content":"'}
_MISSES = 8  # vendors that pad every chunk with noise are not worth trying


class TextTemplate:
    """The bytes around the text of one chunk; another chunk with the same bytes around it says the same otherwise.

    It matches only text without quotes and backslashes, so that what lies between is one JSON string.
    """

    def __init__(self) -> None:
        self.field = ""
        self._before = b""
        self._after = b""
        self._size = 0
        self._misses = 0

    @property
    def wanted(self) -> bool:
        """Whether another try to learn is worth it."""
        return self._misses <= _MISSES

    def learn(self, data: bytes, field: str, text: str) -> None:
        """Remembers a chunk that has nothing to say but `text` in the delta's `field`."""
        self._misses += 1
        key = _KEYS[field]
        start = data.find(key) + len(key)
        end = data.find(b'"', start)
        if start < len(key) or data.count(key) != 1 or data[start:end] != text.encode():
            return
        self.field = field
        self._before, self._after, self._size = data[:start], data[end:], start + len(data) - end

    def text(self, data: bytes) -> str | None:
        """The text of a chunk that differs from the one learnt only in it; None for any other."""
        if not self._size or not data.startswith(self._before) or not data.endswith(self._after):
            return None
        if len(data) <= self._size:
            return None
        between = data[len(self._before) : -len(self._after)]
        if b'"' in between or b"\\" in between or b"\n" in between:
            return None
        try:
            text = between.decode()
        except UnicodeDecodeError:
            return None
        self._misses = 0
        return text
