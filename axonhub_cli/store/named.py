"""What the tables of channels, profiles and keys have in common: things with a unique name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import msgspec

from axonhub_cli.ids import new_id
from axonhub_cli.store.connection import Connection
from axonhub_cli.store.names import changed_meanwhile, check_name, not_found, taken
from axonhub_cli.store.rows import RowCodec

__all__ = ["NamedTable", "bump_revision"]


class Named(Protocol):
    """What a thing with a name has."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def updated_at(self) -> int: ...


T = TypeVar("T", bound=Any)


def bump_revision(connection: Connection) -> None:
    """Tells running servers that something changed; belongs into the transaction of the change."""
    connection.run("UPDATE meta SET number = number + 1 WHERE name = 'revision'")


class NamedTable(ABC, Generic[T]):
    """Every change is one transaction that also grows the revision."""

    noun: ClassVar[str]
    table: ClassVar[str]
    id_prefix: ClassVar[str]
    kind: ClassVar[type]

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._clock = clock
        self._codec: RowCodec[Any] = RowCodec(self.kind)
        columns, table = self._codec.columns, self.table
        # Constants of this program only; values go by placeholders.
        self._select = f"SELECT {columns} FROM {table}"  # noqa: S608
        self._insert = f"INSERT INTO {table} ({columns}) VALUES ({self._codec.holes})"  # noqa: S608
        assignments = ", ".join(f"{name} = ?" for name in self._codec.names)
        self._update = f"UPDATE {table} SET {assignments} WHERE id = ?"  # noqa: S608

    def list(self) -> tuple[T, ...]:
        """All of them, in order of creation."""
        rows = self._connection.rows(f"{self._select} ORDER BY created_at, id")
        return tuple(self._codec.decode(row) for row in rows)

    def names(self) -> tuple[str, ...]:
        """Their names, in order of creation."""
        rows = self._connection.rows(f"SELECT name FROM {self.table} ORDER BY created_at, id")  # noqa: S608
        return tuple(name for (name,) in rows)

    def get(self, name: str) -> T:
        """The one of that name. Raises NotFoundError."""
        row = self._connection.row(f"{self._select} WHERE name = ?", (name,))
        if row is None:
            raise not_found(self.noun, name, self.names())
        return cast("T", self._codec.decode(row))

    def add(self, value: T) -> T:
        """Keeps a new one and returns it; an empty id and zero times are filled in.

        Raises ConflictError where the name is taken, AxonHubError where it cannot be a name.
        """
        check_name(self.noun, value.name)
        now = self._clock()
        value = msgspec.structs.replace(
            value,
            id=value.id or new_id(self.id_prefix),
            created_at=value.created_at or now,
            updated_at=value.updated_at or now,
        )
        with self._connection.writing():
            self._refuse_taken(value.name)
            self._check(value)
            self._connection.run(self._insert, self._codec.encode(value))
            bump_revision(self._connection)
        return value

    def replace(self, value: T) -> T:
        """Puts `value` in the place of the one with its id, under a new name where the name differs.

        Raises NotFoundError where it is gone, ConflictError where the new name is taken or the old one is in use, or
        where `value` is an edit of what somebody else has changed since it was read.
        """
        check_name(self.noun, value.name)
        read_at, value = value.updated_at, msgspec.structs.replace(value, updated_at=self._clock())
        with self._connection.writing():
            row = self._connection.row(f"SELECT name, updated_at FROM {self.table} WHERE id = ?", (value.id,))  # noqa: S608
            if row is None:
                raise not_found(self.noun, value.name, self.names())
            old, changed_at = row
            if read_at not in (0, changed_at):  # 0: made anew, not read
                raise changed_meanwhile(self.noun, old)
            if old != value.name:
                self._refuse_taken(value.name)
                self._refuse_used(old)
            self._check(value)
            self._connection.run(self._update, (*self._codec.encode(value), value.id))
            bump_revision(self._connection)
        return value

    def remove(self, name: str) -> T:
        """Forgets it, and returns what it was. Raises NotFoundError, or ConflictError that says who uses it."""
        with self._connection.writing():
            value = self.get(name)
            self._refuse_used(name)
            self._forget(value)
            self._connection.run(f"DELETE FROM {self.table} WHERE id = ?", (value.id,))  # noqa: S608
            bump_revision(self._connection)
        return value

    @abstractmethod
    def _refuse_used(self, name: str) -> None:
        """Raises ConflictError where something refers to the name."""

    @abstractmethod
    def _check(self, value: T) -> None:
        """Raises NotFoundError where `value` refers to what is not there."""

    def _forget(self, value: T) -> None:
        """Deletes what goes with it."""

    def _refuse_taken(self, name: str) -> None:
        if self._connection.row(f"SELECT 1 FROM {self.table} WHERE name = ?", (name,)):  # noqa: S608
            raise taken(self.noun, name)
