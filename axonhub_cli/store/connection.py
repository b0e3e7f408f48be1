"""One connection to the database: statements, transactions, and errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axonhub_cli.store.failures import ERRORS, explain, moved, read_only

__all__ = ["Connection", "Row", "connect"]

Row = tuple[Any, ...]
_BUSY_SECONDS = 5.0


class Connection:
    """Statements take `?` placeholders and run on SQLite and PostgreSQL alike.

    Whatever sqlite3 raises leaves as a StoreError. For one thread at a time.
    """

    def __init__(self, raw: sqlite3.Connection, path: Path, writable: bool = True) -> None:
        self.raw = raw
        self.path = path
        self.writable = writable
        self._inode = _inode(path)

    def check_place(self) -> None:
        """Raises StoreError where the file was moved or deleted since: what is written now nobody would find."""
        if self._inode is not None and _inode(self.path) != self._inode:
            raise moved(self.path)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        try:
            return self.raw.execute(statement, values).fetchall()
        except ERRORS as error:
            raise explain(error, self.path) from error

    def row(self, statement: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row of a query."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def value(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None where there is none."""
        found = self.row(statement, values)
        return found[0] if found else None

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Runs a change; the number of rows it touched."""
        try:
            return self.raw.execute(statement, values).rowcount
        except ERRORS as error:
            raise explain(error, self.path) from error

    def run_many(self, statement: str, values: Iterable[Sequence[Any]]) -> None:
        """Runs a change once for each row of values."""
        try:
            self.raw.executemany(statement, values)
        except ERRORS as error:
            raise explain(error, self.path) from error

    def finish(self, statement: str) -> None:
        """Runs a statement to its end, outside of a transaction: for those that do a piece of work a step."""
        try:
            self.raw.executescript(statement)
        except ERRORS as error:
            raise explain(error, self.path) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All of the block or nothing of it, alone among writers; on disk when the block has ended."""
        self.check_place()
        if not self.writable:
            raise read_only(self.path)
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All queries of the block see one state."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.run(begin)
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # A full disk or an I/O error may have rolled back already.
        if self.raw.in_transaction:
            self.run("ROLLBACK")

    def close(self) -> None:
        """Ends the connection; the last one of a file writes its log back."""
        try:
            self.raw.close()
        except ERRORS as error:
            raise explain(error, self.path) from error


def connect(uri: str, path: Path, *, writable: bool = True) -> Connection:
    """A connection with our settings for every connection. `path` is what errors name."""

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    raw = _explained(opened, path)
    connection = Connection(raw, path, writable)
    try:
        for setting in _SETTINGS:
            connection.rows(setting)
        if not writable:
            connection.rows("PRAGMA query_only = ON")
    except BaseException:
        raw.close()
        raise
    return connection


# Full: a change the CLI reported is there after a power cut; batching makes it affordable for traces.
# Checkpoints are left to one process (see `retention`): SQLite before 3.51.3 can lose commits when two
# connections write and checkpoint at the same moment, https://www.sqlite.org/wal.html#walresetbug
_SETTINGS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cell_size_check = ON",
)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _explained(action: Callable[[], sqlite3.Connection], path: Path) -> sqlite3.Connection:
    try:
        return action()
    except ERRORS as error:
        raise explain(error, path) from error
