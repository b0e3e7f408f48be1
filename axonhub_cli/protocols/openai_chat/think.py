"""Takes reasoning out of the text of vendors that write it between tags (pitfall 57)."""

from __future__ import annotations

_OPEN = "<think>"
_CLOSE = "</think>"
_TAGS = (_OPEN, _CLOSE)


class ThinkSplitter:
    """Text cut anywhere -> (is reasoning, text) pieces.

    An opening tag counts only where the answer begins, so that an answer about tags stays whole. The first closing tag
    is dropped wherever it stands: some vendors open in the prompt and leak the closer.
    """

    def __init__(self) -> None:
        self._inside = False
        self._begun = False  # something other than white space has been seen
        self._closed = False
        self._trim = False  # white space after the closer goes with it
        self._held = ""

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """The pieces that are certain by now; what may be the beginning of a tag waits."""
        if self._closed and not self._trim:
            return [(False, text)]
        text, self._held = self._held + text, ""
        pieces: list[tuple[bool, str]] = []
        while text and not self._closed:
            text = self._step(text, pieces)
        if text and self._trim:
            text = text.lstrip()
            self._trim = not text
        if text:
            pieces.append((False, text))
        return pieces

    def close(self) -> list[tuple[bool, str]]:
        """The end: what waited was no tag."""
        held, self._held = self._held, ""
        return [(self._inside, held)] if held else []

    def _step(self, text: str, pieces: list[tuple[bool, str]]) -> str:
        if not self._begun:
            return self._begin(text)
        before, found, after = text.partition(_CLOSE)
        if not found:
            keep = _tail(text, _CLOSE)
            before, self._held = text[: len(text) - keep], text[len(text) - keep :]
        if before:
            pieces.append((self._inside, before))
        if found:
            self._inside, self._closed, self._trim = False, True, True
        return after

    def _begin(self, text: str) -> str:
        plain = text.lstrip()
        if not plain or (len(plain) < len(_CLOSE) and any(tag.startswith(plain) for tag in _TAGS) and plain != _OPEN):
            self._held = text
            return ""
        self._begun = True
        if plain.startswith(_OPEN):
            self._inside = True
            return plain[len(_OPEN) :]
        return text


def _tail(text: str, tag: str) -> int:
    """How many characters at the end may be the beginning of `tag`."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if tag.startswith(text[-size:]):
            return size
    return 0
