"""Opens the database file: makes it private, refuses what is not ours, falls back to reading."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from axonhub_cli.errors import StoreError
from axonhub_cli.files import create_private, link_new
from axonhub_cli.paths import Home
from axonhub_cli.store.connection import Connection, connect
from axonhub_cli.store.failures import foreign
from axonhub_cli.store.migrations import Migration, migrate, pending
from axonhub_cli.store.schema import APPLICATION_ID, MIGRATIONS

__all__ = ["open_database"]


def open_database(home: Home, *, writable: bool, migrations: Sequence[Migration] = MIGRATIONS) -> Connection:
    """The home's database, at this version's schema.

    Where nothing may be written, or `writable` is false, a connection that reads; without a file one to an
    empty database in memory. Raises StoreError; a file that is not a sound database of ours is left as it is.
    """
    path = home.database
    if not os.path.lexists(path):
        if not writable or not _may_create(home):
            return _empty(path, migrations)
        _create(home, migrations)
    _check_owner(path)
    if writable and _may_write(path):
        return _open_for_writing(path, migrations)
    return _open_for_reading(path, migrations)


def _may_create(home: Home) -> bool:
    """False where the folder, or what it would be made in, is read-only; other obstacles show when it is made."""
    folder = next((folder for folder in (home.data, *home.data.parents) if folder.exists()), home.data)
    return not folder.is_dir() or os.access(folder, os.W_OK | os.X_OK)


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


def _empty(path: Path, migrations: Sequence[Migration]) -> Connection:
    connection = connect("file::memory:", path)
    migrate(connection, migrations)
    connection.rows("PRAGMA query_only = ON")
    connection.writable = False
    return connection


def _create(home: Home, migrations: Sequence[Migration]) -> None:
    """Makes the whole database under another name first: no crash leaves an empty file, no race a half one."""
    home.create()
    path = home.database
    _put_log_aside(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    create_private(temporary, b"")
    try:
        connection = connect(_uri(temporary, "rw"), path)
        try:
            connection.rows("PRAGMA auto_vacuum = INCREMENTAL")  # works only before the first table
            connection.rows(f"PRAGMA application_id = {APPLICATION_ID}")
            migrate(connection, migrations)
            connection.rows("PRAGMA journal_mode = WAL")  # kept in the file
        finally:
            connection.close()
        with suppress(FileExistsError):  # another process was quicker: theirs is as good
            link_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _put_log_aside(path: Path) -> None:
    """The log that a killed process left of a database that was moved or deleted since: SQLite would write what is in
    it into the new one (https://www.sqlite.org/howtocorrupt.html, 1.4)."""
    with suppress(FileNotFoundError):
        path.with_name(f"{path.name}-wal").replace(f"{path}-wal.old")
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)


def _check_owner(path: Path) -> None:
    """Refuses what is not ours before anything could change it.

    SQLite itself reads the header: a file that we opened and closed would drop this process's POSIX locks on it,
    SQLite's too, and others would take themselves for alone (https://www.sqlite.org/howtocorrupt.html, 2.2).
    `immutable` leaves another program's log alone.
    """
    try:
        if path.stat().st_size == 0:
            raise foreign(path, "the file is empty")
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}", "Check its owner and permissions.") from error
    probe = connect(_uri(path, "ro") + "&immutable=1", path, writable=False)
    try:
        if probe.value("PRAGMA application_id") != APPLICATION_ID:
            raise foreign(path, "it was made by another program")
    finally:
        probe.close()


def _open_for_writing(path: Path, migrations: Sequence[Migration]) -> Connection:
    connection = connect(_uri(path, "rw"), path)
    try:
        todo = pending(connection, migrations)
        connection.rows("PRAGMA journal_mode = WAL")
        if todo:
            _back_up(connection, todo[0][0])
            migrate(connection, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_for_reading(path: Path, migrations: Sequence[Migration]) -> Connection:
    log = path.with_name(path.name + "-wal")
    if not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size):
        # SQLite cannot make its -shm file here, and needs none: nothing is in the log, and nobody can write.
        uri = _uri(path, "ro") + "&immutable=1"
    else:
        uri = _uri(path, "ro")
    connection = connect(uri, path, writable=False)
    try:
        if pending(connection, migrations):
            raise StoreError(
                f"the database {path} is of an older version and cannot be brought up to date: it is read-only",
                "Make it and its folder writable once, or use the axonhub that wrote it.",
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _back_up(connection: Connection, name: str) -> None:
    """A copy from before the change, beside the file: the way back to the older program."""
    path = connection.path.with_name(f"{connection.path.name}.before-{name}")
    if not create_private(path, b""):
        return  # an earlier try was interrupted; the older copy is the better one
    copy = connect(_uri(path, "rw"), path)
    try:
        connection.raw.backup(copy.raw)
    finally:
        copy.close()


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path))}?mode={mode}"
