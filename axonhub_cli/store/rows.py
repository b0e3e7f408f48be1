"""Rows of a table as values of a Struct: one column a field, lists and mappings as JSON text."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from axonhub_cli.errors import StoreError
from axonhub_cli.store.connection import Row

__all__ = ["RowCodec"]

S = TypeVar("S", bound=Struct)
_LARGEST = 2**63 - 1


class RowCodec(Generic[S]):
    """`columns` is the list for a SELECT or INSERT, in the order of the fields."""

    def __init__(self, kind: type[S]) -> None:
        self._kind = kind
        self.names: tuple[str, ...] = kind.__struct_fields__
        self.columns = ", ".join(self.names)
        self.holes = ", ".join("?" for _ in self.names)
        hints = typing.get_type_hints(kind)
        self._json = tuple(_is_json(hints[name]) for name in self.names)

    def encode(self, value: S) -> tuple[Any, ...]:
        """The columns, each something every database takes: no lone surrogate, NUL, NaN or huge number."""
        # Most columns are absent or plain text, which needs no call to be seen.
        return tuple(
            [
                column
                if column is None or (type(column) is str and column.isascii() and "\0" not in column)
                else _plain(column)
                for column in msgspec.structs.astuple(value)
            ]
        )

    def decode(self, row: Row) -> S:
        """The value. Raises StoreError where the row cannot be one: somebody else has written it."""
        try:
            fields = {
                name: msgspec.json.decode(column) if is_json else column
                for name, column, is_json in zip(self.names, row, self._json, strict=True)
            }
            return msgspec.convert(fields, self._kind, strict=False)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise StoreError(
                f"a row of {self._kind.__name__} in the database is damaged: {error}",
                "Restore a copy of axonhub.db, or move it away to start with an empty one.",
            ) from error


def _is_json(hint: Any) -> bool:
    return typing.get_origin(hint) in (tuple, dict, Mapping)


def _plain(value: Any) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return max(-_LARGEST, min(_LARGEST, value))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _json_text(value)


def _text(value: str) -> str:
    """Clients and upstreams may send what no database stores (pitfalls of lone surrogates and NUL)."""
    if isinstance(value, Enum):
        value = str(value.value)
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _json_text(value: Any) -> str:
    """Lists and mappings of Structs; looked at piece by piece only where there is something to clean."""
    with suppress(UnicodeEncodeError):  # a lone surrogate
        text = msgspec.json.encode(value)
        if b"\\u0000" not in text:
            return text.decode()
    return msgspec.json.encode(_clean(value)).decode()


def _clean(value: Any) -> Any:
    """Lists and mappings of Structs as plain JSON values with clean text."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Struct):
        return {name: _clean(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value
