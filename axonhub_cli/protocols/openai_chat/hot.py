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
        self._before_frame = b""
        self._after_frame = b""
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
        self._before, self._after = data[:start], data[end:]
        self._before_frame, self._after_frame = b"data: " + self._before, self._after + b"\n\n"

    def forget(self) -> None:
        """No chunk matches any more until another has been learnt."""
        self._after = self._after_frame = b""

    def text(self, data: bytes) -> str | None:
        """The text of a chunk that differs from the one learnt only in it; None for any other."""
        return self._between(data, self._before, self._after)

    def framed(self, read: bytes) -> str | None:
        """The same for a read that is one such chunk with its frame and nothing else."""
        return self._between(read, self._before_frame, self._after_frame)

    def _between(self, data: bytes, before: bytes, after: bytes) -> str | None:
        if not after or not data.startswith(before) or not data.endswith(after):
            return None
        between = data[len(before) : -len(after)]
        if b'"' in between or b"\\" in between:
            return None
        if len(data) <= len(before) + len(after):
            return None
        try:
            text = between.decode()
        except UnicodeDecodeError:
            return None
        self._misses = 0
        return text
