"""Reads the text out of `{"input": "…"}` while the JSON still arrives in pieces."""

from __future__ import annotations

import re

_HEAD = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_UNIT = r"\\u(?:[0-9abcefABCEF][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2}"
_PIECE = re.compile(rf'[^"\\]+|\\["\\/bfnrt]|{_UNIT}|{_PAIR}')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# An escape of which more may come: a lone backslash, a started \u, a high surrogate and what follows it.
_UNFINISHED = re.compile(
    r"\\(?:u(?:[0-9a-fA-F]{0,3}|[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?)?)?)?\Z"
)


class InputReader:
    """Fragments of JSON, cut anywhere -> the text of `input` as far as it is certain.

    `closed` once its closing quote has come, `failed` once the JSON is of another shape or broken;
    in both cases nothing more comes out.
    """

    def __init__(self) -> None:
        self.closed = False
        self.failed = False
        self._head: str | None = ""  # what came before the text; None once the text has begun
        self._tail = ""  # an escape that is not complete

    def feed(self, fragment: str) -> str:
        """The new text."""
        if self.closed or self.failed:
            return ""
        if self._head is not None:
            self._head += fragment
            match = _HEAD.match(self._head)
            if match is None:
                self.failed = not '{"input":"'.startswith("".join(self._head.split()))
                return ""
            fragment, self._head = self._head[match.end() :], None
        text, self._tail = self._tail + fragment, ""
        if '"' not in text and "\\" not in text:
            return text
        return self._unescape(text)

    def _unescape(self, text: str) -> str:
        pieces: list[str] = []
        position, size = 0, len(text)
        while position < size:
            if match := _PIECE.match(text, position):
                piece = match[0]
                pieces.append(_character(piece) if piece.startswith("\\") else piece)
                position = match.end()
            elif text[position] == '"':
                self.closed = True
                break
            elif _UNFINISHED.match(text, position):
                self._tail = text[position:]
                break
            else:
                self.failed = True
                break
        return "".join(pieces)


def _character(escape: str) -> str:
    if len(escape) == 2:
        return _ESCAPES[escape[1]]
    codes = [int(digits, 16) for digits in escape.split("\\u") if digits]
    if len(codes) == 1:
        return chr(codes[0])
    high, low = codes
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
