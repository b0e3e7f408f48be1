"""Mends a call's arguments while they arrive (pitfall 47)."""

from __future__ import annotations

import re
from typing import Any

from axonhub_cli.protocols.schema import Schema, below, repair_arguments

_CHARACTERS = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)  # of a string, as many as are whole
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_KEY = 1024  # characters; what is longer is a text that lost its place in broken JSON
_LITERAL = re.compile(r'[^\s"{}\[\],:]+')


class Mender:
    """Fragments of JSON, cut anywhere -> the same with each number as its schema wants it: what `repair_arguments`
    makes of the whole, but for the spelling of keys. A number or a key waits for its end; a text passes at once."""

    def __init__(self, schema: Schema | None) -> None:
        self._root = schema
        self._above: list[tuple[str, Any]] = []  # brackets that are open, and the schema of each
        self._key: str | None = None  # in an object, that of the value which follows
        self._inside = False  # of a text
        self._held = ""

    def feed(self, fragment: str) -> str:
        """What is certain by now."""
        text, self._held = self._held + fragment, ""
        pieces: list[str] = []
        at = 0
        while at < len(text):
            end = self._step(text, at, pieces)
            if end == at:
                self._held = text[at:]
                break
            at = end
        return "".join(pieces)

    def close(self) -> str:
        """What was waiting when the arguments ended."""
        rest, self._held = self._held, ""
        return self._literal(rest) if _LITERAL.fullmatch(rest) else rest

    def _step(self, text: str, at: int, pieces: list[str]) -> int:
        """Takes one token, or a piece of a text, from `at`; where it ends, `at` where more of it must come first."""
        if self._inside:
            end = _CHARACTERS.match(text, at).end()  # type: ignore[union-attr]
            if end < len(text) and text[end] == '"':
                self._inside = False
                end += 1
            pieces.append(text[at:end])
            return end
        if literal := _LITERAL.match(text, at):
            if literal.end() == len(text):
                return at
            pieces.append(self._literal(literal[0]))
            return literal.end()
        end = at + 1
        if text[at] == '"' and self._wants_key() and (key := _STRING.match(text, at)):
            self._key, end = key[1], key.end()
        elif text[at] == '"' and self._wants_key() and len(text) - at < _KEY:
            return at
        elif text[at] == '"':
            self._inside = True
        else:
            self._mark(text[at])
        pieces.append(text[at:end])
        return end

    def _mark(self, mark: str) -> None:
        if mark in "{[":
            self._above.append((mark, self._schema()))
            self._key = None
        elif mark in "}]":
            del self._above[-1:]
        elif mark == ",":
            self._key = None

    def _wants_key(self) -> bool:
        return bool(self._above) and self._above[-1][0] == "{" and self._key is None

    def _schema(self) -> Any:
        """Of the value that comes next."""
        if not self._above:
            return self._root
        mark, schema = self._above[-1]
        return below(schema, self._key if mark == "{" else None)

    def _literal(self, text: str) -> str:
        schema = self._schema()
        return repair_arguments(text, schema) if isinstance(schema, dict) else text
