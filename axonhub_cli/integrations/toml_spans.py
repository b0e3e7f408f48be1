"""Where each statement of a TOML text begins and ends, so that one can be changed and no other byte."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

BOM = "\ufeff"
Path = tuple[str, ...]

_KEY = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}"),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)

_PIECE = re.compile(r"#[^\n]*|[^\"'#\[\]{},\n]+|[\[\]{},\n]")
_CLOSED = re.compile(r"(?:[ \t\n]|#[^\n]*\n)*\}")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)


class Statement(Struct, frozen=True):
    """A table header, or a key with its value. `start` and `end` hold its whole lines, newline included;
    `value` the value alone. `path` is absolute."""

    path: Path
    start: int
    end: int
    value: tuple[int, int] | None = None  # None: a header


class Edit(Struct, frozen=True):
    """`text[start:end]` becomes `new`. `path` is set where a value was replaced."""

    start: int
    end: int
    new: str
    path: Path | None = None


def loads(text: str) -> dict[str, Any]:
    """What a text says in TOML 1.1, which Codex reads; the standard library reads 1.0. Raises TOMLDecodeError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        try:
            return tomllib.loads(_older(text))
        except ValueError:
            raise error from None


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text after all edits; they must not overlap. Insertions at one place keep their order."""
    pieces: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += (text[position : edit.start], edit.new)
        position = edit.end
    return "".join((*pieces, text[position:]))


def statements(text: str) -> list[Statement]:
    """All statements of valid TOML, in order. Raises ValueError where this reader is at a loss."""
    found: list[Statement] = []
    table: Path = ()
    position = len(BOM) if text.startswith(BOM) else 0
    while position < len(text):
        start = position
        while position < len(text) and text[position] in " \t":
            position += 1
        if position == len(text):
            break
        if text[position] in "#\r\n":
            position = _line_end(text, position)
        elif text[position] == "[":
            many = text.startswith("[[", position)
            table, _ = _path(text, position + (2 if many else 1))
            position = _line_end(text, position)
            found.append(Statement(table, start, position))
        else:
            path, equals = _path(text, position)
            value = _value(text, equals)
            position = _line_end(text, value[1])
            found.append(Statement(table + path, start, position, value))
    return found


def find(found: list[Statement], path: Path) -> Statement | None:
    """The first statement of exactly this path."""
    return next((one for one in found if one.path == path), None)


def same(one: Any, other: Any) -> bool:
    """Equality for TOML values, where `nan` equals itself and 1 is not 1.0 nor true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


def _older(text: str) -> str:
    """The same in TOML 1.0, where inline tables are of one line without a last comma, and strings know neither
    `\\e` nor `\\x41`. Raises ValueError for a string without end."""
    text = text.replace("\r\n", "\n")
    pieces: list[str] = []
    within, last, position = [""], "", 0
    while position < len(text):
        match = _PIECE.match(text, position)
        end = match.end() if match else _string_end(text, position)
        piece, position = text[position:end], end
        if piece[0] == '"':
            piece = _ESCAPE.sub(_older_escape, piece)
        elif within[-1] == "{" and (piece[0] in "#\n" or (piece == "," and last != "{" and _CLOSED.match(text, end))):
            piece = " "
        elif piece in ("[", "{"):
            within.append(piece)
        elif piece in ("]", "}") and len(within) > 1:
            within.pop()
        pieces.append(piece)
        last = last if piece.isspace() else piece
    return "".join(pieces)


def _older_escape(match: re.Match[str]) -> str:
    code = {"e": "1b"}.get(match[1], match[1][1:])
    return f"\\u00{code}" if match[1][0] in "ex" else match[0]


def _line_end(text: str, position: int) -> int:
    newline = text.find("\n", position)
    return len(text) if newline < 0 else newline + 1


def _path(text: str, position: int) -> tuple[Path, int]:
    """A dotted key, and where what follows it begins."""
    names: list[str] = []
    while match := _KEY.match(text, position):
        names.append(_name(match.group(1)))
        position = match.end()
        if not text.startswith(".", position):
            return tuple(names), position
        position += 1
    raise ValueError(f"no key at character {position}")


def _name(key: str) -> str:
    return str(loads(f"k = {key}")["k"]) if key[0] in "\"'" else key


def _value(text: str, position: int) -> tuple[int, int]:
    """The span of the value after the `=` at `position`."""
    if not text.startswith("=", position):
        raise ValueError(f"no = at character {position}")
    position += 1
    while position < len(text) and text[position] in " \t":
        position += 1
    start, end, depth = position, position, 0
    while position < len(text):
        character = text[position]
        if character in "\"'":
            position = end = _string_end(text, position)
            continue
        if character == "#":
            if not depth:
                break
            position = _line_end(text, position)
            continue
        if character == "\n" and not depth:
            break
        depth += (character in "[{") - (character in "]}")
        position += 1
        if character not in " \t\r\n":
            end = position
    return start, end


def _string_end(text: str, position: int) -> int:
    for pattern in _STRINGS:
        if match := pattern.match(text, position):
            return match.end()
    raise ValueError(f"a string without end at character {position}")
